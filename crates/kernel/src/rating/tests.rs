use super::*;
use proptest::prelude::*;

fn rates(input: i64, output: i64) -> Rates {
    Rates::new(Nano(input), Nano(output))
}

#[test]
fn a_bill_computed_by_hand() {
    // Claude-like: 3 / 15 per million, cache read 0.30, write 3.75 and 6; group 0.8, channel 1.1.
    let price = Price::flat(
        Nano(0),
        Rates {
            cache_read: Some(Nano(300_000_000)),
            cache_write_5m: Some(Nano(3_750_000_000)),
            cache_write_1h: Some(Nano(6_000_000_000)),
            ..rates(3_000_000_000, 15_000_000_000)
        },
    )
    .unwrap();
    let usage = Usage {
        input: 1_000,
        cache_read: 20_000,
        cache_write_5m: 100,
        cache_write_1h: 10,
        output: 333,
        ..Usage::default()
    };
    // 0.003 + 0.006 + 0.000375 + 0.00006 + 0.004995 = 0.01443; × 0.88 = 0.0126984
    let charge = price.charge(&usage, Ppm(800_000), Ppm(1_100_000));
    assert_eq!(charge.amount.to_string(), "0.0126984");
    let subtotals: Vec<_> = charge.lines.iter().map(|l| l.subtotal.as_str()).collect();
    assert_eq!(subtotals, ["0.003", "0.006", "0.000375", "0.00006", "0.004995"]);
}

#[test]
fn every_class_has_one_name() {
    for class in TokenClass::ALL {
        assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
    }
}

#[test]
fn rounding_is_half_up_and_once() {
    // One token at 500 nano per million is half of 10⁻³ nano: far below; 500_000 makes exactly half a nano.
    let price = Price::flat(Nano(0), rates(500_000, 0)).unwrap();
    let one = Usage { input: 1, ..Usage::default() };
    assert_eq!(price.amount(&one, Ppm::ONE, Ppm::ONE), Nano(1));
    let price = Price::flat(Nano(0), rates(499_999, 0)).unwrap();
    assert_eq!(price.amount(&one, Ppm::ONE, Ppm::ONE), Nano(0));
}

#[test]
fn tiers_hold_above_their_bound() {
    let tier = |above, input| Tier { above_input_tokens: above, rates: rates(input, 0) };
    let price = Price::new(Nano(0), vec![tier(0, 1_000_000), tier(200, 2_000_000)]).unwrap();
    let with = |cached| Usage { input: 100, cache_read: cached, ..Usage::default() };
    assert_eq!(price.amount(&with(100), Ppm::ONE, Ppm::ONE), Nano(200));
    assert_eq!(price.amount(&with(101), Ppm::ONE, Ppm::ONE), Nano(402));
    assert_eq!(Price::new(Nano(0), vec![tier(5, 1)]), Err(BadPrice::FirstTier));
    assert_eq!(Price::new(Nano(0), vec![tier(0, 1), tier(0, 1)]), Err(BadPrice::Order));
    assert_eq!(Price::new(Nano(0), vec![tier(0, -1)]), Err(BadPrice::Negative));
}

prop_compose! {
    fn any_price()(
        per_call in 0_i64..1_000_000_000,
        base in prop::array::uniform2(0_i64..100_000_000_000),
        extra in prop::array::uniform7(prop::option::of(0_i64..200_000_000_000)),
        bounds in prop::collection::btree_set(1_u64..500_000, 0..3),
    ) -> Price {
        let [cr, w5, w1, ai, ii, re, ao] = extra.map(|x| x.map(Nano));
        let r = Rates {
            input: Nano(base[0]), output: Nano(base[1]), cache_read: cr, cache_write_5m: w5, cache_write_1h: w1,
            audio_input: ai, image_input: ii, reasoning: re, audio_output: ao,
        };
        let tiers = std::iter::once(0).chain(bounds).enumerate().map(|(i, above)| {
            let i = i64::try_from(i).unwrap() + 1;
            Tier { above_input_tokens: above, rates: Rates { input: Nano(r.input.0 * i), ..r.clone() } }
        });
        Price::new(Nano(per_call), tiers.collect()).unwrap()
    }
}

prop_compose! {
    fn any_usage()(n in prop::array::uniform9(0_u64..1_000_000)) -> Usage {
        Usage { input: n[0], cache_read: n[1], cache_write_5m: n[2], cache_write_1h: n[3], audio_input: n[4],
            image_input: n[5], output: n[6], reasoning: n[7], audio_output: n[8] }
    }
}

proptest! {
    #[test]
    fn a_reservation_always_covers_the_charge(
        price in any_price(), usage in any_usage(), more_in in 0_u64..1000, more_out in 0_u64..1000,
        group in 0_i64..5_000_000, channel in 0_i64..5_000_000,
    ) {
        let (input, output) = (usage.input_total() + more_in, usage.output_total() + more_out);
        let amount = price.amount(&usage, Ppm(group), Ppm(channel));
        prop_assert!(price.upper_bound(input, output, Ppm(group), Ppm(channel)) >= amount);
        prop_assert!(amount >= Nano::ZERO);
    }

    #[test]
    fn the_lines_explain_the_amount(price in any_price(), usage in any_usage(), group in 0_i64..5_000_000) {
        let charge = price.charge(&usage, Ppm(group), Ppm::ONE);
        let micro: i128 = charge.lines.iter()
            .map(|l| i128::from(l.tokens) * i128::from(l.rate_per_million.0)).sum::<i128>()
            + i128::from(charge.per_call.0) * MICRO;
        let product = micro * i128::from(group);
        let divisor = MICRO * 1_000_000;
        prop_assert_eq!(i128::from(charge.amount.0), (product + divisor / 2) / divisor);
        prop_assert_eq!(charge.amount, price.amount(&usage, Ppm(group), Ppm::ONE));
    }

    #[test]
    fn json_keeps_a_price(price in any_price()) {
        let text = serde_json::to_string(&price).unwrap();
        prop_assert_eq!(serde_json::from_str::<Price>(&text).unwrap(), price);
    }
}
