"""The certificate of the webhook: its own CA and a serving certificate, in a Secret that all replicas share.

`material` is the content of the Secret, `rotation` decides what is issued when, `bundle` what the `caBundle` of the
webhook has: all pure. `follower` watches the Secret in every replica, `keeper` writes Secret and `caBundle` in the one
that holds the Lease.
"""
