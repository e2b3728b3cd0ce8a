"""The engine decides and records. It knows no PMO word, no HTTP, no Kafka and no view."""
