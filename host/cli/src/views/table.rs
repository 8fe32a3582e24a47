//! Columns.

/// Rows with their columns aligned, two spaces between them, no space at the end of a line.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let fill = (width + 2).saturating_sub(cell.chars().count());
            line.extend(std::iter::repeat_n(' ', fill));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["A".to_owned(), "LONG".into()], vec!["wide cell".into(), "x".into()]];
        assert_eq!(table(&rows), "A          LONG\nwide cell  x\n");
        assert_eq!(table(&[]), "");
    }
}
