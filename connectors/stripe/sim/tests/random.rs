//! Whatever is sent, something is answered.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::*;

const PATHS: &[&str] = &[
    "customers",
    "customers/search",
    "customers/{c}",
    "products",
    "prices",
    "subscriptions",
    "subscriptions/{s}",
    "subscriptions/search",
    "invoices",
    "invoices/{i}",
    "invoices/{i}/pay",
    "invoices/{i}/finalize",
    "invoices/{i}/void",
    "invoiceitems",
    "charges",
    "invoice_payments",
    "invoices/search",
    "account",
    "",
    "//",
];
const PARAMS: &[&str] = &[
    "customer={c}",
    "items[0][price]={p}",
    "items[0][quantity]=1000000",
    "items[][price]={p}",
    "items=x",
    "items[0]=x",
    "items[0][id]=x",
    "amount=99999999",
    "amount=-9223372036854775808",
    "amount=x",
    "currency=eur",
    "days_until_due=1000",
    "days_until_due=-9223372036854775808",
    "collection_method=send_invoice",
    "trial_period_days=9223372036854775807",
    "trial_end=9223372036854775807",
    "metadata[a][b]=c",
    "metadata[x]=1",
    "metadata=x",
    "expand[]=data.customer",
    "expand[]=customer.subscriptions.data.latest_invoice",
    "expand[]=id",
    "expand[]=",
    "expand=x",
    "limit=3",
    "limit=-1",
    "starting_after={c}",
    "ending_before={c}",
    "query=created%3E0",
    "query=metadata[",
    "query=\"",
    "query=-",
    "query=email:'\\",
    "page=!!",
    "created[gt]=5",
    "created[x]=5",
    "invoice={i}",
    "name=%00%FF",
    "email=a@b",
    "address=1",
    "a[b][c][d][e][f][g][h][i][j][k][l][m]=1",
    "a[=1",
    "recurring[interval]=year",
    "recurring[interval_count]=156",
    "unit_amount=99999999",
    "product={r}",
    "product_data[name]=x",
    "price={p}",
    "quantity=9223372036854775807",
    "unit_amount=9223372036854775807",
    "due_date=9223372036854775807",
    "status=open",
    "price_data[unit_amount]=1",
    "items[0][price_data][product]={r}",
    "cancel_at_period_end=true",
    "pause_collection[behavior]=void",
    "paid_out_of_band=true",
    "balance=9",
];

#[test]
fn nothing_sent_makes_it_panic() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut shop = Shop::new("unlimited");
    let customer = shop.customer("ada@example.com", "");
    let price = shop.price();
    let product = shop.get("products").ids().remove(0);
    let mut answered = std::collections::BTreeMap::<u16, u32>::new();
    for turn in 0..2_500 {
        let subscription = shop.subscribe_if(turn % 400 == 0, &customer);
        let invoice = shop.get("invoices?limit=1").ids().pop().unwrap_or_default();
        let fill = |text: &str| {
            text.replace("{c}", &customer)
                .replace("{p}", &price)
                .replace("{r}", &product)
                .replace("{s}", &subscription)
                .replace("{i}", &invoice)
        };
        shop.version = [OLD, NEW].choose(&mut rng).map(|version| (*version).to_owned()).unwrap();
        let method = ["GET", "POST", "POST", "PUT"].choose(&mut rng).unwrap();
        let path = fill(PATHS.choose(&mut rng).unwrap());
        let count = rng.random_range(0..5);
        let form: Vec<String> = (0..count).map(|_| fill(PARAMS.choose(&mut rng).unwrap())).collect();
        let form = form.join("&");
        let got = if *method == "POST" {
            shop.post(&path, &form)
        } else {
            let query: String = form.replace(['"', '\\', '>', ' '], "%22");
            let request = shop.request(method, &format!("{path}?{query}")).body(Bytes::new()).unwrap();
            shop.send(request)
        };
        assert!(got.status < 500, "{method} {path} {form}");
        *answered.entry(got.status).or_default() += 1;
    }
    for status in [200, 400, 404] {
        assert!(answered.contains_key(&status), "{status} never came: {answered:?}");
    }
}

impl Shop {
    /// A subscription's id: a fresh one now and then.
    fn subscribe_if(&mut self, fresh: bool, customer: &str) -> String {
        let newest = self.get("subscriptions?limit=1").ids().pop();
        match newest {
            Some(id) if !fresh => id,
            _ => self.subscribe(customer, "").id(),
        }
    }
}

#[test]
fn any_bytes_are_answered() {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let mut shop = Shop::new("live");
    for turn in 0..1_000 {
        shop.now = START + turn;
        let bytes: Vec<u8> =
            (0..rng.random_range(0..60)).map(|_| *b"[]=&%a0.-".choose(&mut rng).unwrap()).collect();
        let request = shop.request("POST", "customers").body(Bytes::from(bytes)).unwrap();
        assert!(matches!(shop.send(request).status, 200 | 400));
    }
    assert_eq!(shop.send(Request::get("*").body(Bytes::new()).unwrap()).status, 401);
}
