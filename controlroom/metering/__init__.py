"""What agents use, and what that costs: pure arithmetic on a price sheet.

usage (one API message) · usage_file (usage.jsonl, and what Claude itself says a session has cost) · prices
"""
