//! What lies in the folder of runbooks: the policy that denies when in doubt, the limits at their borders, and a folder
//! that changes while it is used.

mod changing;
mod limits;
mod policy;
mod sample;
