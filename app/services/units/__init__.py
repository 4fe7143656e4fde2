"""Work on one unit for one slice: fetch pages and write them, or deliver events."""
