use super::*;
use crate::usage::tests::Folder;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;

const COLUMNS: [(&str, Kind); 4] =
    [("at", Kind::Moment), ("key", Kind::Name), ("requests", Kind::Count), ("cost_usd", Kind::Dollars)];

fn written(rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = Rows::new(&mut bytes, &COLUMNS).unwrap();
    for n in 0..rows {
        let count = i64::try_from(n).unwrap();
        let name = format!("key_{}", n % 7);
        out.row([
            Cell::Moment(Some(1_767_225_600 + count * 3600)),
            Cell::Name((n % 3 > 0).then_some(&*name)),
            Cell::Count((n % 5 > 0).then_some(count)),
            Cell::Dollars(Some(f64::from(u32::try_from(n).unwrap()) / 8.0)),
        ])
        .unwrap();
    }
    out.finish().unwrap();
    bytes
}

fn reader(bytes: &[u8]) -> SerializedFileReader<std::fs::File> {
    let folder = Folder::new();
    let path = folder.0.join("p");
    std::fs::write(&path, bytes).unwrap();
    SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap()
}

#[test]
fn rows_are_read_back_as_they_were_over_several_groups() {
    let rows = GROUP + 11;
    let reader = reader(&written(rows));
    assert_eq!(reader.metadata().num_row_groups(), 2);
    let mut read = 0;
    for (n, row) in reader.get_row_iter(None).unwrap().enumerate() {
        let fields: Vec<Field> = row.unwrap().get_column_iter().map(|(_, f)| f.clone()).collect();
        let count = i64::try_from(n).unwrap();
        let name = if n % 3 > 0 { Field::Str(format!("key_{}", n % 7)) } else { Field::Null };
        let counted = if n % 5 > 0 { Field::Long(count) } else { Field::Null };
        let dollars = Field::Double(f64::from(u32::try_from(n).unwrap()) / 8.0);
        let at = Field::TimestampMillis((1_767_225_600 + count * 3600) * 1000);
        assert_eq!(fields, [at, name, counted, dollars], "row {n}");
        read += 1;
    }
    assert_eq!(read, rows);
    assert_eq!(written(1000), written(1000), "the same rows give the same bytes");
}

#[test]
fn a_file_without_rows_has_its_columns() {
    let reader = reader(&written(0));
    let schema = reader.metadata().file_metadata().schema_descr();
    let names: Vec<_> = schema.columns().iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(names, COLUMNS.map(|(name, _)| name));
    assert_eq!(reader.get_row_iter(None).unwrap().count(), 0);
}

#[test]
fn a_row_that_does_not_fit_is_refused() {
    let mut out = Rows::new(Vec::new(), &COLUMNS[..2]).unwrap();
    let at = Cell::Moment(Some(0));
    for cells in [&[at][..], &[Cell::Count(Some(0)), Cell::Name(None)], &[at, Cell::Name(None), at]] {
        assert!(matches!(out.row(cells.iter().copied()), Err(WriteError::Misfit(_))), "{cells:?}");
    }
}
