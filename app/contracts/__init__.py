"""What subscribers may rely on: the events of a workflow, described from its definition alone."""
