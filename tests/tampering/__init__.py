"""Transcripts as an attacker would change them, and both verifiers' answers."""
