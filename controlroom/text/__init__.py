"""What travels everywhere, and imports nothing: names, states, and text made safe to show.

names (the name rule) · states · sanitize (bytes of a host -> text that may reach a terminal) · redact (secrets) ·
safe_text (both) · json_fields (JSON that may hold anything) · event_text (what an agent's events say) · render (log
records -> what a person reads) · time_zones · disks
"""
