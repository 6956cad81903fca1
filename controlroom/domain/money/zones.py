"""The time zones in which money's days begin (`text.time_zones`), for those who show them."""

from controlroom.text.time_zones import day_name as day_name
from controlroom.text.time_zones import hour_name as hour_name
from controlroom.text.time_zones import zone_here as zone_here
from controlroom.text.time_zones import zone_of as zone_of
