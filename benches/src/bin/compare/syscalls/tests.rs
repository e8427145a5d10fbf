use super::*;

#[test]
fn a_report_is_read_with_and_without_errors() {
    let text = "% time     seconds  usecs/call     calls    errors syscall\n\
        ------ ----------- ----------- --------- --------- ----------------\n \
        60.00    0.004437           1       100        20 recvfrom\n \
        40.00    0.002000           1        80           sendto\n\
        ------ ----------- ----------- --------- --------- ----------------\n\
        100.00    0.006437           1       180        20 total\n";
    assert_eq!(
        parse(text),
        [("recvfrom".to_owned(), 100), ("sendto".to_owned(), 80)]
    );
}
