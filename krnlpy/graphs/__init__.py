"""Work that is captured once and replayed as often as wanted."""
