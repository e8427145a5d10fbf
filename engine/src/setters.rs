/// Generates a setter for each named public field of a `#[non_exhaustive]` struct: outside of this
/// crate, the only way to set a field. A setter has the name of its field and refers to its
/// documentation.
macro_rules! setters {
    ($type:ty { $($field:ident: $value:ty),+ $(,)? }) => {
        /// One setter for each field.
        impl $type {
            $(
                #[doc = concat!("Sets the field `", stringify!($field), "`: see its documentation.")]
                #[must_use]
                pub fn $field(mut self, $field: $value) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}
