"""The tracker of public-order hotspots: rules, measures, records, reports and screens."""
