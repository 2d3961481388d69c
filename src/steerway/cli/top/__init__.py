"""`steerway top`: replicas, Services, clients, changes and problems, live, in a terminal.

`model` keeps the rows of all replicas, `feed` keeps the model current, `view` describes the lists, and `app` with
`screen` shows them. Nothing outside of `app` and `screen` imports Textual.
"""
