//! Layouts that others write.
