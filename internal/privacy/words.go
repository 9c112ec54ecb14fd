package privacy

import "strings"

// The words of invented people, places and companies. Given names are common
// ones; family names, places and companies are two halves that no language joins,
// so that they are recognised as ours and are nobody's. All of them were written
// for this file.
var (
	givenNames = strings.Fields(`Ada Alina Amir Anton Aria Basil Bela Carla Cleo Dario Dana Edda Elio Emil Enya Fabio Fiona Gala
		Gero Hana Hugo Ida Ilja Ines Iris Jana Joel Jonas Juna Kai Kira Lara Leon Lina Luca Mara Mila Milan Mira Nadia Nico Nils Nora
		Olga Oskar Pia Rafael Rhea Robin Ruben Sami Sana Selma Silas Tara Theo Timo Uma Vera Viola Yara Yuna Zara Zeno`)
	nameHalves = strings.Fields(`Ald Bren Corv Dunth Ellm Farv Garth Holv Iskw Keldr Lorph Marv Norv Ostr Pelv Quint
		Rask Selv Thal Ulvr Varn Wex Yorv Zand Brisk Crann Dresk Fenn Glimm Harsk Jorv Klemm`)
	nameEnds = strings.Fields(`enthaw ombry istlove avornel eskowyn indralt orvanesk ephostel aquillan umbrayne ondrelsk ithornay egravine
		alystorn uverrand ospelrey imbarrow owendrisk ekkelvane adrimost unthwell ovelarch ispenward arklunde
		emberlisk olvarenn yndrasht estovaar okselmar upperlisk irravend angelholt`)
	placeEnds   = strings.Fields("brunndale vikstead mereford thornwick oxhaven lundmoor")
	companyEnds = strings.Fields("tronics labsen workers foundry supplies systemics")
)

// family is one of the 1,024 invented family names.
func family(n uint64) string {
	return nameHalves[n%uint64(len(nameHalves))] + nameEnds[n/uint64(len(nameHalves))%uint64(len(nameEnds))]
}

// invented reports whether word is half and end of ours.
func invented(word string, ends []string) bool {
	for _, half := range nameHalves {
		if rest, ok := strings.CutPrefix(word, half); ok {
			for _, end := range ends {
				if rest == end {
					return true
				}
			}
		}
	}
	return false
}
