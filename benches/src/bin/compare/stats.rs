//! Medians with their spread.

use serde::{Deserialize, Serialize};

/// Two figures are a tie when their ratio differs from 1 by less than this.
const TIE: f64 = 0.05;

/// Median, minimum and maximum of the repeats.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` when there are no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[half]
        } else {
            f64::midpoint(values[half - 1], values[half])
        };
        Some(Spread { median, min, max })
    }
}

/// A ratio for a table; `~` marks a tie.
pub(crate) fn ratio(ratio: Option<Spread>) -> String {
    match ratio {
        None => "-".to_owned(),
        Some(ratio) if (ratio.median - 1.0).abs() < TIE => format!("~{:.2}", ratio.median),
        Some(ratio) => format!("{:.2}", ratio.median),
    }
}

/// Prints a table: the first column left-aligned, the others right-aligned.
pub(crate) fn print_table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::from("  ");
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if index == 0 {
                line += &format!("{cell:<width$}");
            } else {
                line += &format!("  {cell:>width$}");
            }
        }
        println!("{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middles() {
        for (values, median) in [
            (vec![3.0, 1.0, 2.0], 2.0),
            (vec![4.0, 1.0, 2.0, 3.0], 2.5),
            (vec![7.0], 7.0),
        ] {
            let spread = Spread::of(values.clone()).unwrap();
            assert_eq!(spread.median, median, "{values:?}");
            assert!(spread.min <= median && median <= spread.max);
        }
        assert!(Spread::of([]).is_none());
    }

    #[test]
    fn a_tie_is_marked() {
        let at = |median| {
            Some(Spread {
                median,
                min: median,
                max: median,
            })
        };
        assert_eq!(ratio(at(1.049)), "~1.05");
        assert_eq!(ratio(at(1.051)), "1.05");
        assert_eq!(ratio(None), "-");
    }
}
