"""The words of the rules that no server can switch off; ``generation.safety.prompt`` says how they are read.

In several languages, because a model understands more than one. Ambiguous words (a rooster, a donkey, a beach) are
``SUGGESTIVE`` and count only together with a minor. Adults are called "boy" and "girl", too: these words are ``YOUNG``
and count only together with something unambiguously ``SEXUAL``, where the bot gives no benefit of the doubt.
"""

SEXUAL = """
nude, nudes, nudity, nudist, naked, nakedness, topless, bottomless, undressed, unclothed, nsfw, porn, porno,
pornography, pornographic, pornstar, hentai, ecchi, rule34, rule 34, xxx, sex, sexual, sexually, sexting,
hardcore sex, softcore, erotic, erotica, erotism, intercourse, penetration, blowjob, blow job, handjob, hand
job, footjob, rimjob, deepthroat, fellatio, cunnilingus, masturbate, masturbating, masturbation, orgasm,
orgasmic, orgy, gangbang, threesome, creampie, cumshot, cum, bukkake, ejaculate, ejaculation, semen, penis,
vagina, vulva, labia, clitoris, genitals, genitalia, testicles, scrotum, nipple, nipples, areola, areolae,
tits, titties, boobs, boobies, anus, anal, dildo, vibrator, bdsm, bondage, fetish, incest, rape, raped,
raping, molest, molested, molestation, bestiality, zoophilia, upskirt, camgirl, onlyfans, stripper,
striptease, fuck, fucked, fucking, without clothes, no clothes, no clothing, clothes off, remove clothes,
remove her clothes, remove his clothes, remove the clothes, undress, undress her, undress him, futanari,
ahegao, yiff, nackt, nackte, nackter, nacktes, nacktbild, ficken, titten, desnuda, desnudo, desnudos,
desnudas, follando, tetas, sexo, sexuel, sexuelle, nue, nues, seins nus, nudo, nuda, nudi, nua, nuas,
pelada, naken, naaktfoto, голая, голый, голые, порно, секс, обнаженная, обнажённая, ヌード, 裸, 全裸,
セックス, エロ, ポルノ, 裸体, 裸照, 色情, 性交, 做爱, 누드, 나체, 섹스, 야동, عارية, عاري, سكس, नंगी, नंगा,
çıplak, seks, naakt, naakte
"""

SUGGESTIVE = """
sexy, sexier, sexiest, sexualized, sexualised, seductive, seductively, seducing, sensual, sultry, horny,
aroused, arousing, provocative, provocatively, lewd, lascivious, kinky, naughty, slutty, slut, whore, hot
body, lingerie, underwear, panties, panty, thong, bra, bikini, stockings, fishnets, garter, corset, see
through, see-through, transparent clothes, skimpy, revealing, wet shirt, cleavage, breast, breasts, busty,
boob, bust, butt, buttocks, ass, booty, crotch, cameltoe, camel toe, bulge, cock, dick, pussy, cunt, tit,
spread legs, legs spread, bent over, on all fours, moaning, strip, stripped, stripping, making love, make
love, having her, in bed with, kissing, french kiss, spanking, spanked, barely clothed, barely dressed,
scantily clad, unclad, disrobed, skinny dipping, birthday suit, au naturel, clothes removed, wearing
nothing, wears nothing, not wearing clothes, not wearing any clothes, in the buff, bare bottom, muschi,
shirtless, exposed, bare chest, bare body, bare skin, in heat, 🍆, 🍑, 🔞, 🍌💦, 👅💦, 🥵, 💦
"""

MINOR = """
child, children, childlike, child like, childish, kid, kids, kiddie, kiddo, toddler, toddlers, baby, babies,
infant, infants, newborn, newborns, minor, minors, underage, under age, underaged, preteen, pre teen,
preteens, tween, tweens, teen, teens, teenage, teenaged, teenager, teenagers, adolescent, adolescents,
juvenile, juveniles, pubescent, prepubescent, pre pubescent, pubertal, puberty, youngster, youngsters,
little girl, little girls, little boy, little boys, small girl, small boy, young girl, young girls, young
boy, young boys, younger girl, tiny girl, tiny boy, baby girl, baby boy, little sister, little brother,
little daughter, little son, schoolgirl, schoolgirls, school girl, schoolboy, schoolboys, school boy,
schoolchild, schoolchildren, schoolkid, school kid, pupil, pupils, kindergarten, kindergartner,
kindergartener, preschool, preschooler, elementary school, elementary schooler, primary school, grade
school, grade schooler, first grader, second grader, third grader, fourth grader, fifth grader, sixth
grader, seventh grader, eighth grader, ninth grader, middle school, middle schooler, junior high, junior
high school, high school, high schooler, highschool, highschooler, girl scout, boy scout, cub scout,
jailbait, barely legal, minor age, under eighteen, below eighteen, under 18, below 18, less than 18, not yet
18, kinder, kleines mädchen, kleiner junge, minderjährig, minderjährige, minderjähriger, teenagerin,
schulmädchen, niña, niñas, niño, niños, menor de edad, adolescente, adolescentes, colegiala, enfant,
enfants, fillette, fillettes, petite fille, petit garçon, mineur, mineure, criança, crianças, menina,
menino, bambina, bambino, bambini, bambine, minorenne, dziecko, dziewczynka, kinderen, meisje, jongetje,
девочка, девочки, мальчик, ребёнок, ребенок, дети, школьница, несовершеннолетняя, 少女, 幼女, 幼児, 子供,
子ども, こども, 女子高生, 女子中学生, 小学生, 中学生, 児童, 儿童, 小孩, 幼童, 女童, 男童, 未成年, 萝莉,
蘿莉, 正太, 어린이, 아이, 소녀, 소년, 미성년, 여고생, 여중생, 초등학생, 중학생, 고등학생, 小女孩, 小男孩,
初中生, 高中生, 女子校生, 学生妹, tiener, tieners, nastolatka, nastolatki, nastolatek, dzieci, écolière,
écolières, lycéenne, lycéennes, collégienne, collégiennes, préado, ragazzina, ragazzine, ragazzino,
minorenni, menor de idade, menores de idade, menores de edad, novinha, novinhas, juvenil, youngling,
younglings, sixth former, sixth form student, u18, малолетка, малолетки, подросток, подростки, школьник,
школьницы, несовершеннолетний, مراهقة, مراهق, قاصر, بنت صغيرة, नाबालिग, किशोरी, liseli, reşit olmayan, طفل,
طفلة, أطفال, बच्चा, बच्ची, बच्चे, çocuk, kız çocuğu, 👶, 🧒, 👧, 👦
"""

YOUNG = "boy, boys, girl, girls, mädchen, fille, filles, garçon, garçons"

SEXUAL_MINOR = """
loli, lolis, lolita porn, lolicon, lolicons, lolikon, shota, shotas, shotacon, toddlercon, pedo, pedos,
pedophile, pedophilia, paedophile, paedophilia, pedobear, child porn, childporn, kiddie porn, kiddy porn,
csam, child erotica, nacktes kind, nackte kinder, nackten kind, kind nackt, kinder nackt, naga nastolatka,
naga dziewczynka, nagie dziecko, nagi chłopiec, preteen model, jailbait, ロリコン, ショタコン, ロリ,
幼女ヌード, 児童ポルノ, 儿童色情, детское порно
"""

# Phrases that contain one of these words and are harmless.
HARMLESS = """
same sex, same-sex, opposite sex, sex education, sussex, essex, middlesex, wessex, naked eye, naked mole
rat, naked mole-rat, anal fin, rape seed, rapeseed, rape field, high school musical, mankind, bra ket, comic
strip, comic strips, film strip, strip of land, strip of paper, chicken breast, chicken breasts, turkey
breast, duck breast, breast of chicken, breastfeeding, breast feeding, christmas stocking, christmas
stockings, hanging stockings, stockings on the fireplace, stockings over the fireplace, stockings by the
fireplace, stockings on the mantel, exposed brick, exposed bricks, exposed beams, exposed concrete, marble
bust, bronze bust, bust of, brand spanking new, spanking new, rooster cock, cock crowing, crowing cock,
weather cock, cock and hen, cock and hens, ox and ass, ass and ox, blue tits, great tits, coal tits, long
tailed tits, blue footed booby, blue footed boobies, bottomless pit, cum laude, naked cake, naked tree,
naked trees, naked branches, penetration of light, light penetration, orgy of colors, orgy of colours, wire
stripper, wire strippers, paint stripper, roman numeral xxx, à mains nues, nue propriété, nudo marinero,
naranja pelada, fruta pelada, fromage râpé, gruyère râpé, parmesan râpé, carottes râpées, cime di rape, rape
rosse, shota rustaveli
"""

# In a negative prompt: what should be absent from the picture.
DRESSED = """
clothes, clothing, clothed, cloth, dress, dressed, shirt, pants, trousers, skirt, underwear, bikini,
swimsuit, swimwear, panties, bra, garment, garments, outfit, fabric
"""
GROWN_UP = "adult, adults, grown up, grown-up, grownup"
