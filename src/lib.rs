//! steadyhand runs the dangerous procedures of operations with a steady hand.
