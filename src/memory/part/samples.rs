//! The good samples that a part was taught from, for display only. They do not affect the verdict.

/// The good samples of a part. Parts that were taught before this was kept have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    /// File and folder of each, such as `good/a001.jpg`, in the order they were taught.
    pub names: Vec<String>,
    /// The first one, as the encoder sees it.
    pub view: Option<View>,
}

/// The image of a sample, in its taught pose, at the size of the encoder's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// `u8[height, width, 3]`, RGB.
    pub pixels: Vec<u8>,
    /// Columns, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
}
