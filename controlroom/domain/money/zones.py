"""The time zones in which money's days begin (`meter.zones`), for those who show them."""

from controlroom.meter.zones import day_name as day_name
from controlroom.meter.zones import hour_name as hour_name
from controlroom.meter.zones import zone_here as zone_here
from controlroom.meter.zones import zone_of as zone_of
