package sidecar

import (
	"fmt"
	"maps"
	"slices"

	"ostiary.dev/ostiary/internal/pii"
)

// presidio has the entities of the analyzer's own recognisers
// (https://microsoft.github.io/presidio/supported_entities/).
var presidio = map[string]pii.Type{
	"PERSON": pii.Person, "LOCATION": pii.Location, "ORGANIZATION": pii.Organization, "NRP": pii.NRP, "TITLE": pii.Title, "AGE": pii.Age,
	"DATE_TIME": pii.DateTime, "EMAIL_ADDRESS": pii.Email, "PHONE_NUMBER": pii.Phone, "URL": pii.URL, "IP_ADDRESS": pii.IPAddress,
	"MAC_ADDRESS": pii.MACAddress, "CREDIT_CARD": pii.CreditCard, "IBAN_CODE": pii.IBAN, "CRYPTO": pii.Crypto, "ID": pii.OtherID,
	"MEDICAL_LICENSE": pii.HealthID, "US_SSN": pii.SSN, "US_ITIN": pii.TaxID, "US_BANK_NUMBER": pii.BankAccount, "US_PASSPORT": pii.Passport,
	"US_DRIVER_LICENSE": pii.DriverLicense, "US_MBI": pii.HealthID, "US_NPI": pii.HealthID, "ABA_ROUTING_NUMBER": pii.BankAccount,
	"UK_NHS": pii.HealthID, "UK_NINO": pii.NationalID, "UK_PASSPORT": pii.Passport, "UK_POSTCODE": pii.Location,
	"UK_VEHICLE_REGISTRATION": pii.VehicleID, "UK_DRIVING_LICENCE": pii.DriverLicense,
	"ES_NIF": pii.TaxID, "ES_NIE": pii.NationalID, "ES_PASSPORT": pii.Passport,
	"IT_FISCAL_CODE": pii.TaxID, "IT_DRIVER_LICENSE": pii.DriverLicense, "IT_VAT_CODE": pii.TaxID, "IT_PASSPORT": pii.Passport,
	"IT_IDENTITY_CARD": pii.NationalID, "PL_PESEL": pii.NationalID, "FI_PERSONAL_IDENTITY_CODE": pii.NationalID,
	"SE_PERSONNUMMER": pii.NationalID, "SE_ORGANISATIONSNUMMER": pii.CompanyID, "TR_NATIONAL_ID": pii.NationalID, "TR_LICENSE_PLATE": pii.VehicleID,
	"DE_TAX_ID": pii.TaxID, "DE_TAX_NUMBER": pii.TaxID, "DE_PASSPORT": pii.Passport, "DE_ID_CARD": pii.NationalID,
	"DE_SOCIAL_SECURITY": pii.NationalID, "DE_HEALTH_INSURANCE": pii.HealthID, "DE_LANR": pii.HealthID, "DE_BSNR": pii.HealthID,
	"DE_VAT_ID": pii.TaxID, "DE_FUEHRERSCHEIN": pii.DriverLicense, "DE_KFZ": pii.VehicleID, "DE_HANDELSREGISTER": pii.CompanyID, "DE_PLZ": pii.Location,
	"SG_NRIC_FIN": pii.NationalID, "SG_UEN": pii.CompanyID, "AU_ABN": pii.CompanyID, "AU_ACN": pii.CompanyID, "AU_TFN": pii.TaxID,
	"AU_MEDICARE": pii.HealthID, "IN_PAN": pii.TaxID, "IN_AADHAAR": pii.NationalID, "IN_VEHICLE_REGISTRATION": pii.VehicleID,
	"IN_VOTER": pii.NationalID, "IN_PASSPORT": pii.Passport, "IN_GSTIN": pii.TaxID, "KR_RRN": pii.NationalID, "KR_FRN": pii.NationalID,
	"KR_PASSPORT": pii.Passport, "KR_DRIVER_LICENSE": pii.DriverLicense, "KR_BRN": pii.CompanyID, "TH_TNIN": pii.NationalID,
	"US_CLAIM_NUMBER": pii.HealthID, "US_HEALTH_INSURANCE_MEMBER_ID": pii.HealthID, "US_PRESCRIPTION_NUMBER": pii.HealthID,
	"US_PRIOR_AUTHORIZATION_NUMBER": pii.HealthID, "US_REFERRAL_NUMBER": pii.HealthID, "US_PROVIDER_TAX_ID": pii.TaxID, "UUID": pii.DeviceID,
	"PH_PASSPORT": pii.Passport, "PH_TIN": pii.TaxID, "PH_UMID": pii.NationalID, "CA_POSTAL_CODE": pii.Location,
	"ZA_COMPANY_REGISTRATION": pii.CompanyID, "ZA_DRIVER_LICENSE": pii.DriverLicense, "ZA_ID_NUMBER": pii.NationalID,
	"ZA_INCOME_TAX_NUMBER": pii.TaxID, "ZA_LICENSE_PLATE": pii.VehicleID, "ZA_MOBILE_NUMBER": pii.Phone, "ZA_PASSPORT": pii.Passport,
	"ZA_TELEPHONE_NUMBER": pii.Phone, "ZA_TRAFFIC_REGISTER_NUMBER": pii.DriverLicense, "ZA_VAT_NUMBER": pii.TaxID,
	"CA_SIN": pii.NationalID, "NG_NIN": pii.NationalID, "NG_VEHICLE_REGISTRATION": pii.VehicleID,
}

// meaningsOf adds an operator's entities, which may redefine the known ones.
func meaningsOf(own map[string]string) (map[string]pii.Type, error) {
	all := maps.Clone(presidio)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		t := pii.Type(own[name])
		switch {
		case name == "" || len(name) > 100:
			return nil, fmt.Errorf("entities: a name has between 1 and 100 bytes")
		case t == Ignore:
			t = ""
		case !t.Known() || t == pii.Secret:
			return nil, fmt.Errorf("entities.%s: must be a type of the detector but SECRET, or %s", name, Ignore)
		}
		all[name] = t
	}
	return all, nil
}

// entitiesOf returns the service's names for types, sorted.
func entitiesOf(meanings map[string]pii.Type, types []pii.Type) []string {
	var out []string
	for name, t := range meanings {
		if t != "" && slices.Contains(types, t) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
