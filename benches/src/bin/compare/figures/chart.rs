//! One figure: lines of medians with bars from minimum to maximum, on a logarithmic y axis, with a
//! legend.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::prelude::*;

use crate::stats::Spread;

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 560;
/// Width of the legend, to the right of the plot, in pixels.
const LEGEND_WIDTH: u32 = 230;
const LEGEND_LINE_HEIGHT: i32 = 26;
const FONT: &str = "sans-serif";
/// Free space at both ends of the x axis, as a share of it.
const X_MARGIN: f64 = 0.04;
/// Colours of the lines: as distinct as fourteen can be, also for colour-blind readers.
const COLOURS: [RGBColor; 14] = [
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(153, 153, 153),
    RGBColor(170, 120, 40),
    RGBColor(120, 94, 240),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(160, 20, 60),
    RGBColor(110, 140, 30),
    RGBColor(0, 0, 140),
    RGBColor(255, 120, 150),
];

/// A median of repeats, at a position on the x axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) spread: Spread,
}

/// One line of a figure.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    /// Sorted by x.
    pub(super) points: Vec<Point>,
}

impl Series {
    pub(super) fn new(name: &str) -> Series {
        Series {
            name: name.to_owned(),
            points: Vec::new(),
        }
    }

    /// The points that a logarithmic axis can show.
    fn drawable(&self) -> impl Iterator<Item = Point> {
        let above = |point: &Point| point.spread.min > 0.0 && point.spread.max.is_finite();
        self.points.iter().copied().filter(above)
    }
}

/// The content of one file.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// Name of the file, without `.svg`.
    pub(super) name: String,
    pub(super) title: String,
    pub(super) x_title: &'static str,
    pub(super) y_title: &'static str,
    /// Positions on the x axis and their labels.
    pub(super) x_ticks: Vec<(f64, String)>,
    pub(super) series: Vec<Series>,
}

impl Figure {
    pub(super) fn has_a_line(&self) -> bool {
        self.series.iter().any(|s| s.drawable().count() >= 2)
    }

    /// The whole SVG document.
    pub(super) fn svg(&self) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg)
            .map_err(|error| anyhow!("cannot draw {}: {error}", self.name))?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (plot, legend) = root.split_horizontally(WIDTH - LEGEND_WIDTH);
        let points = || self.series.iter().flat_map(Series::drawable);
        let xs = points()
            .map(|p| p.x)
            .chain(self.x_ticks.iter().map(|t| t.0));
        let (x_min, x_max) = ends(xs);
        let margin = (x_max - x_min).max(1.0) * X_MARGIN;
        let (y_min, y_max) = ends(points().flat_map(|p| [p.spread.min, p.spread.max]));
        let y_ticks = one_two_five(y_min, y_max);
        let (y_low, y_high) = ends(y_ticks.iter().copied());
        let labels = (self.x_ticks.len(), y_ticks.len());
        let mut chart = ChartBuilder::on(&plot)
            .caption(&self.title, (FONT, 20))
            .margin(14)
            .x_label_area_size(52)
            .y_label_area_size(78)
            .build_cartesian_2d(
                Axis {
                    range: x_min - margin..x_max + margin,
                    ticks: self.x_ticks.clone(),
                },
                Axis {
                    range: y_low.log10()..y_high.log10(),
                    ticks: y_ticks.iter().map(|&y| (y.log10(), short(y))).collect(),
                },
            )?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(self.x_title)
            .y_desc(self.y_title)
            .label_style((FONT, 14))
            .axis_desc_style((FONT, 15))
            .x_labels(labels.0)
            .y_labels(labels.1)
            .draw()?;
        for (series, style) in self.series.iter().zip(styles()) {
            for Point { x, spread } in series.drawable() {
                let bar = [(x, spread.min.log10()), (x, spread.max.log10())];
                chart.draw_series([PathElement::new(bar, style.color.mix(0.5))])?;
            }
            let medians = || series.drawable().map(|p| (p.x, p.spread.median.log10()));
            chart.draw_series(LineSeries::new(medians(), style).point_size(3))?;
        }
        self.draw_legend(&legend)?;
        root.present()?;
        Ok(())
    }

    fn draw_legend<'a>(
        &self,
        area: &DrawingArea<SVGBackend<'a>, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
        let mut y = 60;
        for (series, style) in self.series.iter().zip(styles()) {
            area.draw(&PathElement::new([(0, y), (26, y)], style))?;
            let text = (FONT, 14).into_font();
            area.draw(&Text::new(series.name.clone(), (34, y - 7), text))?;
            y += LEGEND_LINE_HEIGHT;
        }
        Ok(())
    }
}

/// An axis with a label and a mesh line at each tick.
struct Axis {
    range: Range<f64>,
    ticks: Vec<(f64, String)>,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|tick| tick.0).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|tick| tick.0 == *value);
        tick.map_or_else(String::new, |tick| tick.1.clone())
    }
}

fn styles() -> impl Iterator<Item = ShapeStyle> {
    let style = |colour: &RGBColor| colour.filled().stroke_width(2);
    COLOURS.iter().map(style).cycle()
}

/// Minimum and maximum; 1 and 2 if there are no values.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let ends = |(min, max): (f64, f64), value: f64| (min.min(value), max.max(value));
    let (min, max) = values.fold((f64::INFINITY, f64::NEG_INFINITY), ends);
    if min <= max { (min, max) } else { (1.0, 2.0) }
}

/// The values 1, 2 and 5 of every decade, from below `min` to above `max`.
fn one_two_five(min: f64, max: f64) -> Vec<f64> {
    let decades = min.log10().floor() as i32..=max.log10().ceil() as i32;
    let all: Vec<f64> = decades
        .flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(decade)))
        .collect();
    let from = all.iter().rposition(|&tick| tick <= min).unwrap_or(0);
    let to = all.iter().position(|&tick| tick >= max);
    let to = to.unwrap_or(all.len() - 1).max(from + 1);
    all[from..=to.min(all.len() - 1)].to_vec()
}

/// A number as an axis shows it: 200, 5k, 10M.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        v if v >= 0.999e6 => (v / 1e6, "M"),
        v if v >= 0.999e3 => (v / 1e3, "k"),
        v => (v, ""),
    };
    let text = format!("{value:.3}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Colour of the line at this index, as SVG writes it.
#[cfg(test)]
pub(super) fn colour(index: usize) -> String {
    let RGBColor(red, green, blue) = COLOURS[index];
    format!("#{red:02X}{green:02X}{blue:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_enclose_the_values() {
        for (min, max, ticks) in [
            (3.0, 40.0, vec![2.0, 5.0, 10.0, 20.0, 50.0]),
            (1.0, 10.0, vec![1.0, 2.0, 5.0, 10.0]),
            (7.0, 7.0, vec![5.0, 10.0]),
            (0.3, 0.3, vec![0.2, 0.5]),
            (1000.0, 1000.0, vec![1000.0, 2000.0]),
        ] {
            let found = one_two_five(min, max);
            assert_eq!(found.len(), ticks.len(), "{min} to {max}: {found:?}");
            for (found, tick) in found.iter().zip(ticks) {
                assert!((found / tick - 1.0).abs() < 1e-9, "{found} is not {tick}");
            }
        }
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.2, "0.2"),
            (50.0, "50"),
            (999.999_999, "1k"),
            (2000.0, "2k"),
            (10_000_000.0, "10M"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
