use super::*;

#[test]
fn a_lower_class_gets_its_floor_and_no_more() {
    let mut schedule = Schedule::default();
    schedule.push(0, 0);
    schedule.push(5, 5);
    schedule.push(7, 7);
    let mut turns = [0_u32; 8];
    for _ in 0..170 {
        let slot = schedule.pop().expect("all are waiting");
        turns[slot as usize] += 1;
        schedule.push(slot as u8, slot);
        schedule.charge(slot as u8, QUANTUM_BYTES as u64);
    }
    // 16 quanta of the highest class, then one of the lower classes in rotation.
    assert_eq!((turns[0], turns[5], turns[7]), (160, 5, 5));
}

#[test]
fn channels_of_a_class_take_turns() {
    let mut schedule = Schedule::default();
    for slot in 0..3 {
        schedule.push(2, slot);
    }
    for turn in 0..9 {
        let slot = schedule.pop().expect("all are waiting");
        assert_eq!(slot, turn % 3);
        schedule.push(2, slot);
    }
}

const FLOOR: u64 = FLOOR_BYTES as u64;

fn waiting(classes: &[u8]) -> Schedule {
    let mut schedule = Schedule::default();
    classes
        .iter()
        .for_each(|&class| schedule.push(class, class.into()));
    schedule
}

#[test]
fn classes_are_served_in_priority_order() {
    let mut schedule = waiting(&[6, 1, 7, 0, 3]);
    for class in [0, 1, 3, 6, 7] {
        assert!(!schedule.is_empty());
        assert_eq!(schedule.pop(), Some(class));
    }
    assert!(schedule.is_empty());
    assert_eq!(schedule.pop(), None);
}

#[test]
fn a_channel_put_back_has_the_next_turn() {
    let mut schedule = Schedule::default();
    for slot in 0..3 {
        schedule.push(4, slot);
    }
    assert_eq!(schedule.pop(), Some(0));
    schedule.push_front(4, 0);
    assert_eq!(schedule.pop(), Some(0));
    // Alone in its class, it is waiting again.
    let mut alone = waiting(&[6]);
    assert_eq!(alone.pop(), Some(6));
    alone.push_front(6, 6);
    assert!(!alone.is_empty());
    alone.push(5, 5);
    assert_eq!(
        (alone.pop(), alone.pop(), alone.pop()),
        (Some(5), Some(6), None)
    );
}

#[test]
fn a_removed_channel_has_no_turn() {
    let mut schedule = Schedule::default();
    for slot in [1, 2, 3] {
        schedule.push(6, slot);
    }
    schedule.push(7, 2);
    schedule.remove(6, 2);
    schedule.remove(5, 1);
    assert_eq!((schedule.pop(), schedule.pop()), (Some(1), Some(3)));
    // The last of a class.
    schedule.remove(7, 2);
    assert!(schedule.is_empty());
    assert_eq!(schedule.pop(), None);
}

#[test]
fn the_floor_is_reached_at_its_last_byte() {
    let mut schedule = waiting(&[0, 5]);
    schedule.charge(0, FLOOR - 1);
    assert_eq!(schedule.pop(), Some(0));
    schedule.push_front(0, 0);
    schedule.charge(0, 1);
    assert_eq!(schedule.pop(), Some(5));
    // The count restarts at zero.
    schedule.charge(5, 1);
    schedule.push(5, 5);
    schedule.charge(0, FLOOR - 1);
    assert_eq!(schedule.pop(), Some(0));
}

#[test]
fn only_bytes_sent_before_a_waiting_lower_class_count() {
    // No lower class is waiting.
    let mut schedule = waiting(&[3]);
    schedule.charge(3, FLOOR);
    schedule.push(4, 4);
    assert_eq!(schedule.pop(), Some(3));
    // Bytes of the lowest waiting class do not count, and reset the count.
    let mut schedule = waiting(&[0, 5]);
    schedule.charge(0, FLOOR);
    schedule.charge(5, 1);
    assert_eq!(schedule.pop(), Some(0));
    // Bytes of the lowest class never count.
    let mut schedule = waiting(&[0, 7]);
    schedule.charge(7, FLOOR);
    assert_eq!(schedule.pop(), Some(0));
    // Without a waiting lower class, there is no floor turn.
    let mut schedule = waiting(&[0, 5]);
    schedule.charge(0, FLOOR);
    assert_eq!((schedule.pop(), schedule.pop()), (Some(5), Some(0)));
}

#[test]
fn lower_classes_get_floor_turns_in_rotation() {
    for top in [0, 2] {
        let mut schedule = waiting(&[top, 3, 5, 7]);
        for class in [3, 5, 7, 3, 5, 7] {
            schedule.charge(top, FLOOR);
            assert_eq!(schedule.pop(), Some(class));
            schedule.charge(class as u8, 1);
            schedule.push(class as u8, class);
        }
    }
}

#[test]
fn a_floor_turn_that_sends_nothing_is_repeated() {
    let mut schedule = waiting(&[0, 5, 7]);
    schedule.charge(0, FLOOR);
    for _ in 0..3 {
        assert_eq!(schedule.pop(), Some(5));
        schedule.push_front(5, 5);
    }
    assert_eq!(schedule.pop(), Some(5));
    // Bytes of another class do not end the floor turn.
    schedule.charge(0, 1);
    schedule.push_front(5, 5);
    assert_eq!(schedule.pop(), Some(5));
    schedule.charge(5, 1);
    schedule.push_front(5, 5);
    assert_eq!(schedule.pop(), Some(0));
    schedule.push_front(0, 0);
    // The next floor turn belongs to the next class.
    schedule.charge(0, FLOOR);
    assert_eq!(schedule.pop(), Some(7));
}
