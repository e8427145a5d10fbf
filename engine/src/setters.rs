/// One setter for each named field of a struct whose fields are public and which is
/// `#[non_exhaustive]`: the way to set them outside this crate, one after another. A setter has the
/// name of its field, and its doc is the field's.
macro_rules! setters {
    ($type:ty { $($field:ident: $value:ty),+ $(,)? }) => {
        /// One setter for each field.
        impl $type {
            $(
                #[doc = concat!("Sets the field `", stringify!($field), "`; its doc says what it means.")]
                #[must_use]
                pub fn $field(mut self, $field: $value) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}
