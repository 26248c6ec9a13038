"""Figures: tables in, matplotlib figures out. Each module has one pure function `draw`; `style.save` writes.

A figure shows the rows whose status is "ok" and names the others in a note beneath; no row vanishes unsaid.
"""
