"""Transcripts from before Control Room: found, and read for what they say of use."""
