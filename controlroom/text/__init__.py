"""What travels everywhere, and imports nothing: names, closed sets, and text made safe to show.

names (the name rule) · states (closed sets that both ends share) · sanitize (bytes of a host -> text that may reach a
terminal; secrets taken out) · json_fields (JSON that may hold anything) · event_text (what an agent's events and log
records say) · host_sample (a machine's figures) · checks (what proves an agent's work) · time_zones
"""
