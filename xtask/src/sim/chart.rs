//! Curves as SVG, written out by hand: the same figures give the same text.

use std::fmt::Write as _;

/// Lines over a horizontal axis with a logarithmic scale.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) x_label: &'static str,
    pub(super) y_label: &'static str,
    pub(super) y_scale: Scale,
    pub(super) lines: Vec<Line>,
}

/// One curve.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// From zero.
    Linear,
    /// From one; what is less is drawn at the bottom.
    Logarithmic,
}

impl Chart {
    pub(super) fn to_svg(&self) -> String {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let x_max = all().map(|(x, _)| *x).fold(10.0, f64::max);
        let x_min = all().map(|(x, _)| *x).fold(x_max, f64::min).max(1.0);
        let y_max = self.y_scale.rounded(all().map(|(_, y)| *y).fold(1.0, f64::max));
        let x_at = |x: f64| {
            let part = (x.max(x_min) / x_min).log10() / (x_max / x_min).log10().max(1e-9);
            LEFT + part * (WIDTH - LEFT - RIGHT)
        };
        let y_at = |y: f64| HEIGHT - BOTTOM - self.y_scale.part(y, y_max) * (HEIGHT - TOP - BOTTOM);
        let mut svg = self.head();
        for tick in self.y_scale.ticks(y_max) {
            let y = y_at(tick);
            let _ = writeln!(
                svg,
                r##"<line x1="{LEFT}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="#ddd"/>"##,
                WIDTH - RIGHT
            );
            text(&mut svg, LEFT - 8.0, y + 4.0, "end", &number(tick));
        }
        let mut xs: Vec<f64> = all().map(|(x, _)| *x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        for x in xs {
            text(&mut svg, x_at(x), HEIGHT - BOTTOM + 18.0, "middle", &number(x));
        }
        for (nth, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[nth % COLOURS.len()];
            let points: Vec<String> = line
                .points
                .iter()
                .map(|(x, y)| format!("{:.1},{:.1}", x_at(*x), y_at(*y)))
                .collect();
            let _ = writeln!(
                svg,
                r#"<polyline fill="none" stroke="{colour}" stroke-width="2" points="{}"/>"#,
                points.join(" ")
            );
            let y = TOP + 18.0 * nth as f64;
            let x = WIDTH - RIGHT + 12.0;
            let _ = writeln!(
                svg,
                r#"<line x1="{x:.1}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="{colour}" stroke-width="2"/>"#,
                x + 18.0
            );
            text(&mut svg, x + 24.0, y + 4.0, "start", line.name);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn head(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
        );
        text(&mut svg, LEFT, 20.0, "start", self.title);
        text(&mut svg, LEFT, 38.0, "start", self.y_label);
        let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
        text(&mut svg, middle, HEIGHT - 10.0, "middle", self.x_label);
        svg
    }
}

impl Scale {
    /// Where on the axis `y` is, from 0 to 1.
    fn part(self, y: f64, y_max: f64) -> f64 {
        match self {
            Self::Linear => y / y_max,
            Self::Logarithmic => y.max(1.0).log10() / y_max.log10(),
        }
    }

    /// The end of an axis on which `y` still is.
    fn rounded(self, y: f64) -> f64 {
        let power = 10f64.powf(y.log10().floor());
        let steps: &[f64] = if self == Self::Linear { &[1.0, 2.0, 4.0, 5.0] } else { &[1.0] };
        let found = steps.iter().map(|step| step * power).find(|end| *end >= y);
        found.unwrap_or(power * 10.0).max(10f64.powi(i32::from(self == Self::Logarithmic)))
    }

    fn ticks(self, y_max: f64) -> Vec<f64> {
        match self {
            Self::Linear => (0..=4).map(|nth| y_max * f64::from(nth) / 4.0).collect(),
            Self::Logarithmic => {
                (0..=y_max.log10().round() as i32).map(|power| 10f64.powi(power)).collect()
            }
        }
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#);
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value}") }
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 50.0;

const COLOURS: [&str; 6] = ["#c0392b", "#e67e22", "#2980b9", "#8e44ad", "#27ae60", "#7f8c8d"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_figures_give_the_same_text() {
        let points = vec![(1.0, 0.0), (10.0, 55.0), (100.0, 1_000.0)];
        let chart = Chart {
            title: "false deaths",
            x_label: "members",
            y_label: "n < 5",
            y_scale: Scale::Logarithmic,
            lines: vec![Line { name: "SWIM", points }],
        };
        let svg = chart.to_svg();
        assert_eq!(svg, chart.to_svg());
        assert!(svg.contains(r#"points="70.0,350.0 300.0,181.8 530.0,60.0""#), "{svg}");
        assert!(svg.contains("n &lt; 5") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (y, end) in [(3.1, 4.0), (1.0, 1.0), (2.3, 4.0), (41.0, 50.0), (70.0, 100.0)] {
            assert_eq!(Scale::Linear.rounded(y), end, "{y}");
        }
        assert_eq!(Scale::Logarithmic.rounded(39_796.0), 100_000.0);
        assert_eq!(Scale::Logarithmic.ticks(1_000.0), [1.0, 10.0, 100.0, 1_000.0]);
    }
}
