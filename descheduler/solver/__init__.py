"""The only room with OR-Tools: it turns a problem's rows into placements with proven bounds."""
