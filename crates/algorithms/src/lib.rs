//! metastable-algorithms
