use clap_mangen::Man;
#[test]
fn x() {
    let m = Man::new(sockstrace::cli::command());
    let mut v = vec![];
    m.render_options_section(&mut v).unwrap();
    println!("{}", String::from_utf8(v).unwrap());
}
