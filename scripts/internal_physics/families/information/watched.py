"""The quantity that follows a chosen token along depth; the token itself is in the column `token`."""

WATCHED = "probability"
