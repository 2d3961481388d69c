"""steerway beside its peers, under the same load, in one run: `python -m bench` (`make bench`).

    plan ─▶ build ─▶ `scenario` (fan_out, storm, churn) ─▶ tables ─▶ report
                       ├─ a server: `contestant` starts it and sends it changes, `usage` reads its CPU and memory
                       └─ the client fleet in `load/` (Rust): connects, acknowledges, checks, takes the times

It is a program, not a test: it states what it measured and asserts nothing about speed.
"""
