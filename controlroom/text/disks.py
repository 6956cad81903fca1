"""When a disk is as good as full."""

DISK_FULL = 16 * 1024 * 1024
"""Bytes free below which lines may be lost: file systems and quotas stop a little before nothing is left."""
