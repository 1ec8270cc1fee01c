//! Background workers of the facilitator: follower, projector and the jobs.
