"""The process: event loop, garbage collector, threads, signals, isolation of errors."""
