//! Prints the values of a store as a table, or as paragraphs where a table is too wide.

use super::get::{Found, time_of};
use crate::text::wrap::Wrapped;
use crate::text::{self, Paint, clean, columns, count, grouped, iso_time, push_cell};

/// Headings; the last column may be as long as it is.
const HEADINGS: [&str; 6] = ["path", "format", "schema", "bytes", "time (UTC)", "stored (UTC)"];
const GAP: usize = 2;

/// Prints what was found in at most `width` columns.
pub(super) fn table(found: &[Found], paint: Paint, width: usize) -> String {
    let rows: Vec<[String; 6]> = found.iter().map(cells).collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        // A message stands in the place of three columns, and makes none of them wider.
        let of_values = rows.iter().zip(found).filter(|(_, found)| column < 3 || found.value.is_ok());
        let cells = of_values.map(|(row, _)| columns(&row[column]));
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    });
    if widths.iter().sum::<usize>() + GAP * (widths.len() - 1) > width {
        return found.iter().map(|found| paragraph(found, paint, width)).collect();
    }
    let mut out = String::new();
    push_row(&mut out, paint, text::HEADING, &HEADINGS, &widths);
    for (row, found) in rows.iter().zip(found) {
        if found.value.is_ok() {
            push_row(&mut out, paint, text::PLAIN, &row.each_ref().map(String::as_str), &widths);
            continue;
        }
        let indent: usize = widths[..3].iter().map(|width| width + GAP).sum();
        for (cell, &width) in row.iter().zip(&widths[..3]) {
            push_cell(&mut out, paint, text::PLAIN, cell, width + GAP);
        }
        let mut line = Wrapped::new(&mut out, paint, Some(width), indent, indent);
        line.push(text::WARNING, &row[3]);
        line.finish();
    }
    out
}

fn cells(found: &Found) -> [String; 6] {
    let place = &found.place;
    let (bytes, time, stored) = match &found.value {
        Ok(entry) => (
            grouped(entry.bytes.len() as u64),
            without_zone(&time_of(entry)),
            entry.stored_at_ms.map_or_else(|| "-".to_owned(), |at| without_zone(&iso_time(at))),
        ),
        Err(error) => (clean(&error.to_string()), String::new(), String::new()),
    };
    [place.path.clone(), place.key.format.as_str().to_owned(), place.schema.to_owned(), bytes, time, stored]
}

/// A time without its zone, which stands in the heading.
fn without_zone(time: &str) -> String {
    time.trim_end_matches(" UTC").to_owned()
}

fn push_row(out: &mut String, paint: Paint, style: anstyle::Style, cells: &[&str; 6], widths: &[usize; 6]) {
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        if column > 0 {
            out.push_str(&" ".repeat(GAP));
        }
        let is_number = column == 3;
        if is_number {
            out.push_str(&" ".repeat(width.saturating_sub(columns(cell))));
        }
        let is_last = column + 1 == cells.len();
        push_cell(out, paint, style, cell, if is_number || is_last { columns(cell) } else { width });
    }
    out.push('\n');
}

fn paragraph(found: &Found, paint: Paint, width: usize) -> String {
    let Found { place, value } = found;
    let mut out = String::new();
    let mut line = Wrapped::new(&mut out, paint, Some(width), 0, 4);
    line.push(text::HEADING, &place.path);
    line.push(text::PLAIN, &format!(" {} {}: ", place.key.format.as_str(), place.schema));
    match value {
        Ok(entry) => {
            let stored = entry.stored_at_ms.map_or_else(String::new, |at| format!(", stored {}", iso_time(at)));
            let bytes = count(entry.bytes.len() as u64, "byte");
            line.push(text::PLAIN, &format!("{bytes}, {}{stored}", time_of(entry)));
        }
        Err(error) => line.push(text::WARNING, &error.to_string()),
    }
    line.finish();
    out
}
