"""The rules of the programme, in plain Python."""
