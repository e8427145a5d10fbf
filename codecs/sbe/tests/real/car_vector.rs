//! The car of the SBE reference example: bytes written by hand from the schema's layout.

use tickwire_codecs::sbe::Text;
use tickwire_codecs::{Chars, Codec, Encode, Limits};

use crate::generated::car::*;

#[rustfmt::skip]
const CAR: &[u8] = &[
    45, 0, 1, 0, 1, 0, 0, 0, // blockLength 45, templateId, schemaId, version
    210, 4, 0, 0, 0, 0, 0, 0, // serialNumber 1234
    0xdd, 0x07, // modelYear 2013
    1, // available: T
    b'A', // code: A
    0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, // someNumbers
    b'a', b'b', b'c', b'd', b'e', b'f', // vehicleCode
    0b110, // extras: sportsPack, cruiseControl
    // discountedModel is constant; engine:
    0xd0, 0x07, 4, b'1', b'2', b'3', 35, 1, b'N', 200, // 2000, 4, "123", 35 %, boosterEnabled, NITROUS, 200
    6, 0, 3, 0, // fuelFigures: blockLength, numInGroup
    30, 0, 0x9a, 0x99, 0x0f, 0x42, 11, 0, 0, 0, // 30, 35.9
    b'U', b'r', b'b', b'a', b'n', b' ', b'C', b'y', b'c', b'l', b'e',
    55, 0, 0x00, 0x00, 0x44, 0x42, 14, 0, 0, 0, // 55, 49.0
    b'C', b'o', b'm', b'b', b'i', b'n', b'e', b'd', b' ', b'C', b'y', b'c', b'l', b'e',
    75, 0, 0x00, 0x00, 0x20, 0x42, 13, 0, 0, 0, // 75, 40.0
    b'H', b'i', b'g', b'h', b'w', b'a', b'y', b' ', b'C', b'y', b'c', b'l', b'e',
    1, 0, 2, 0, // performanceFigures
    95, 6, 0, 1, 0, // octaneRating 95; acceleration: blockLength, numInGroup
    30, 0, 0x00, 0x00, 0x80, 0x40, // 30 mph, 4.0 s
    99, 6, 0, 1, 0, // octaneRating 99
    30, 0, 0x00, 0x00, 0x60, 0x40, // 30 mph, 3.5 s
    5, 0, 0, 0, b'H', b'o', b'n', b'd', b'a',
    9, 0, 0, 0, b'C', b'i', b'v', b'i', b'c', b' ', b'V', b'T', b'i',
    6, 0, 0, 0, b'a', b'b', b'c', b'd', b'e', b'f',
];

pub(crate) fn check() {
    let fuel = |speed: u16, mpg: f32, usage_description: &'static str| CarFuelFiguresBuilder {
        root: CarFuelFiguresEntry { speed: speed.into(), mpg: mpg.into() },
        usage_description: Text::from(usage_description),
    };
    let first = [CarPerformanceFiguresAccelerationEntry { mph: 30.into(), seconds: 4.0.into() }];
    let second = [CarPerformanceFiguresAccelerationEntry { mph: 30.into(), seconds: 3.5.into() }];
    let performance = |octane_rating, acceleration| CarPerformanceFiguresBuilder {
        root: CarPerformanceFiguresEntry { octane_rating },
        acceleration,
    };
    let car = CarBuilder {
        root: CarRoot {
            serial_number: 1234.into(),
            model_year: 2013.into(),
            available: BooleanType::T,
            code: Model::A,
            some_numbers: [0, 1, 2, 3].map(Into::into),
            vehicle_code: Chars::new(*b"abcdef"),
            extras: OptionalExtras::SPORTS_PACK.with(OptionalExtras::CRUISE_CONTROL),
            engine: Engine {
                capacity: 2000.into(),
                num_cylinders: 4,
                manufacturer_code: Chars::new(*b"123"),
                efficiency: 35,
                booster_enabled: BooleanType::T,
                booster: Booster { boost_type: BoostType::NITROUS, horse_power: 200 },
            },
        },
        fuel_figures: &[fuel(30, 35.9, "Urban Cycle"), fuel(55, 49.0, "Combined Cycle"), fuel(75, 40.0, "Highway Cycle")],
        performance_figures: &[performance(95, &first), performance(99, &second)],
        manufacturer: "Honda".into(),
        model: "Civic VTi".into(),
        activation_code: "abcdef".into(),
    };
    let mut out = vec![0; car.encoded_len()];
    assert_eq!(car.encode(&mut out), Ok(CAR.len()));
    assert_eq!(out, CAR);

    let view = Car::view(CAR, &Limits::FEED).unwrap();
    assert_eq!((view.serial_number(), view.model_year(), view.available().known()), (1234, 2013, Some(KnownBooleanType::T)));
    assert_eq!((view.code(), view.some_numbers(), view.vehicle_code().text()), (Model::A, [0, 1, 2, 3], Some("abcdef")));
    assert!(!view.extras().contains(OptionalExtras::SUN_ROOF) && view.extras().contains(OptionalExtras::SPORTS_PACK));
    assert_eq!(view.discounted_model(), Model::C, "constant");
    let engine = view.engine();
    assert_eq!((engine.capacity(), engine.num_cylinders(), engine.max_rpm(), engine.fuel()), (2000, 4, 9000, "Petrol"));
    assert_eq!((engine.efficiency(), engine.booster().boost_type(), engine.booster().horse_power()), (35, BoostType::NITROUS, 200));
    let usage: Vec<_> = view.fuel_figures().iter().map(|f| (f.speed(), f.mpg(), f.usage_description())).collect();
    assert_eq!(usage, [(30, 35.9, "Urban Cycle".into()), (55, 49.0, "Combined Cycle".into()), (75, 40.0, "Highway Cycle".into())]);
    let seconds: Vec<_> = view
        .performance_figures()
        .iter()
        .flat_map(|p| p.acceleration().into_iter().map(move |a| (p.octane_rating(), a.mph(), a.seconds())))
        .collect();
    assert_eq!(seconds, [(95, 30, 4.0), (99, 30, 3.5)]);
    assert_eq!((view.manufacturer(), view.model(), view.activation_code()), ("Honda".into(), "Civic VTi".into(), "abcdef".into()));
}
