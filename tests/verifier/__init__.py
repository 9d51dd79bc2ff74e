"""A second verifier of transcripts, written from docs/FORMAT.md and sharing no code with the first."""
