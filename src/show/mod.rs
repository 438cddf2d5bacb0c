//! What people look at: pictures, pages and films made from a [`Report`](crate::report::Report). One file a thing.
//!
//! What is shown of a part (its tiles, its name) comes as plain data. Delivering it is left to `sink`.

// What is drawn.
pub mod picture;
pub mod draw;
pub mod avi;

// What is written.
pub mod names;
pub mod words;
pub mod html;
mod page;
pub mod folder;
