"""The screen: pictures, keys, and what becomes of them, on an engine that lives in the test's own memory."""
