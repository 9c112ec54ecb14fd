package privacy

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/pii"
)

// TestSafeHarborLeavesNone has one value or more for each of the identifiers of
// 45 CFR 164.514(b)(2)(i) that text can hold. P and Q, biometrics and pictures,
// are content that types allow or not. What is found is pii's promise; here, that
// nothing that was found is left in any zone but clear.
func TestSafeHarborLeavesNone(t *testing.T) {
	p := named(t, "hipaa-safe-harbor")
	for letter, c := range map[string]struct{ text, gone string }{
		"A name":       {`{"patient":{"full_name":"Katarzyna Wilk"}}`, "Katarzyna|Wilk"},
		"A employer":   {`{"employer":"Hartwell Plumbing Ltd"}`, "Hartwell"},
		"B street":     {`{"address":"12 Chestnut Road, Springfield"}`, "Chestnut|Springfield"},
		"B zip":        {`{"zip":"02139"}`, "02139|139"},
		"B zip+4":      {`{"zip_code":"02139-4307"}`, "02139|4307"},
		"B sparse zip": {`{"zip":"03601"}`, "03601|036"},
		"C birth":      {`{"date_of_birth":"1961-07-24"}`, "1961-|07-24"},
		"C admission":  {`{"note":"admitted March 15, 2024 and left 03/20/2024"}`, "March|15|03/20"},
		"C age":        {`{"age":92}`, "92"},
		"C old birth":  {`{"dob":"1931-02-03"}`, "1931"},
		"D phone":      {`{"phone":"(617) 555-0130"}`, "617|0130"},
		"E fax":        {`{"fax":"+1 617 555 0131"}`, "617|0131"},
		"F mail":       {`{"email":"katarzyna.wilk@example.com"}`, "katarzyna|example.com"},
		"G ssn":        {`{"ssn":"123-45-6789"}`, "123-45|6789"},
		"H mrn":        {`{"mrn":"MR-00482913"}`, "00482913"},
		"I member":     {`{"medicare_mbi":"1EG4-TE5-MK73"}`, "1EG4|MK73"},
		"J iban":       {`{"iban":"DE89370400440532013000"}`, "37040044"},
		"J card":       {`{"card":"4111 1111 1111 1111"}`, "1111"},
		"J account":    {`{"account_number":"000123456789"}`, "123456789"},
		"K licence":    {`{"driver_license":"S12345678"}`, "12345678"},
		"K passport":   {`{"passport_number":"C01X00T47"}`, "C01X00T47"},
		"L vin":        {`{"vin":"1M8GDM9AXKP042788"}`, "1M8GDM9A|042788"},
		"L plate":      {`{"license_plate":"7ABC123"}`, "7ABC123"},
		"M imei":       {`{"imei":"490154203237518"}`, "490154203237518"},
		"M mac":        {`{"mac":"3c:22:fb:12:34:56"}`, "3c:22|34:56"},
		"N url":        {`{"url":"https://clinic.example.org/people/wilk?id=7"}`, "clinic|wilk"},
		"O ip":         {`{"client_ip":"81.2.69.142"}`, "81.2.69"},
		"R national":   {`{"pesel":"44051401359"}`, "44051401359"},
		"R tax":        {`{"itin":"912-71-3456"}`, "912-71|3456"},
		"R customer":   {`{"customer_no":"KD-9938271"}`, "9938271"},
		"R wallet":     {`{"wallet":"1BoatSLRHtKNngkdXEeobR76b53LETtpyT"}`, "1BoatSLRH"},
		"secret":       {`{"note":"ghp_Zk3vT9qLw2Xr8Nf5Bc7Dm1Hs6Jy4Pa0Ue3Gi"}`, "ghp_"},
	} {
		for _, z := range []Zone{ZoneToken, ZoneMinimal, ZoneSealed} {
			for _, toward := range []Toward{Server, Client} {
				out, blocked := hiddenJSON(t, p, Where{Toward: toward, Zone: z}, c.text)
				if len(blocked) > 0 {
					continue // nothing leaves
				}
				for _, gone := range strings.Split(c.gone, "|") {
					if strings.Contains(out, gone) {
						t.Errorf("%s in %s: %q is left in %s", letter, z, gone, out)
					}
				}
				if z == ZoneSealed {
					t.Errorf("%s: nothing blocks in sealed: %s", letter, out)
				}
			}
		}
	}
}

// TestSafeHarborRefusesDerived: none of the actions whose outcome is derived from
// the value is carried out, whatever the configuration let through, on any type.
func TestSafeHarborRefusesDerived(t *testing.T) {
	p := named(t, "hipaa-safe-harbor")
	for _, typ := range pii.Types() {
		for _, a := range underived {
			if got, err := p.Transform(a, Finding{Type: typ, Value: "2024-01-01 4111111111111111", Scope: "s"}, Sample{}); err == nil {
				t.Errorf("%s of %s gives %q", a, typ, got)
			}
		}
		for _, w := range everywhere() {
			for _, a := range underived {
				if p.Decide(w, typ, "") == a {
					t.Errorf("the table says %s of %s", a, typ)
				}
			}
		}
		for _, schema := range []Schema{{Numeric: true}, {Format: "email"}, {Pattern: "^[0-9]{9}$"}, {Format: "date"}, {Max: 3}} {
			for _, a := range Actions() {
				if got := p.Shaped(a, Finding{Type: typ, Value: "123456789", Schema: schema}); got != a && got != Replace && got != Drop {
					t.Errorf("%s of %s in a schema is %s", a, typ, got)
				}
			}
		}
	}
}

// TestSafeHarborConstant: where a schema leaves no room for a pseudonym, everybody
// has the same value; nothing follows from it.
func TestSafeHarborConstant(t *testing.T) {
	p := named(t, "hipaa-safe-harbor")
	for _, schema := range []Schema{{Numeric: true}, {Format: "email"}, {Pattern: "^[0-9]{9}$"}, {Pattern: "^KD-[0-9]{4,7}$"}} {
		seen := ""
		for _, value := range []string{"1", "123456789", "jo@example.com", "KD-9938271"} {
			f := Finding{Type: pii.OtherID, Value: value, Scope: value, Schema: schema}
			got, err := p.Transform(p.Shaped(Token, f), f, nil)
			if err != nil || !p.shape(schema).fits(got) || seen != "" && got != seen {
				t.Errorf("%+v: %q became %q (%v), another one %q", schema, value, got, err, seen)
			}
			seen = got
		}
	}
}
