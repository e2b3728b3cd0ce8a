"""The HTTP service: a thin door to one home. What it says is in docs/http.md."""
