"""Records what Pillow makes of a small picture, for the tests of data/images.

Run in this directory. The files here are those of Pillow 9.4 with
libjpeg-turbo 2.1 and libwebp 1.2 (Debian 12).
"""
import math
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

W, H = 51, 39
base = Image.new("RGB", (W, H))
for y in range(H):
    for x in range(W):
        base.putpixel((x, y), (5 * x, 255 - 6 * y, int(128 + 100 * math.sin((x * x + y * y) / 60))))
draw = ImageDraw.Draw(base)
draw.ellipse((6, 5, 24, 23), fill=(250, 240, 20))
draw.rectangle((30, 12, 46, 33), fill=(20, 30, 200), outline=(255, 0, 0))
draw.line((0, 38, 50, 0), fill=(255, 255, 255), width=2)
base.save("base.png")


def stack(name, pictures):
    sheet = Image.new("RGB", (W, H * len(pictures)))
    for i, p in enumerate(pictures):
        sheet.paste(p, (0, H * i))
    sheet.save(name)


# Decoding.
alpha = base.copy()
alpha.putalpha(Image.linear_gradient("L").resize((W, H)))
base.save("420.jpg", quality=80, subsampling=2)
base.save("422.jpg", quality=80, subsampling=1)
base.save("444.jpg", quality=80, subsampling=0)
base.save("progressive.jpg", quality=80, progressive=True)
base.convert("CMYK").save("cmyk.jpg", quality=80)
base.convert("L").save("grey.jpg", quality=80)
base.quantize(64).save("palette.png")
alpha.save("alpha.png")
base.quantize(64).save("first.gif", save_all=True, append_images=[Image.new("P", (W, H))])
base.save("lossy.webp", quality=80)
alpha.save("lossless.webp", lossless=True, exact=True)
names = ["420.jpg", "422.jpg", "444.jpg", "progressive.jpg", "cmyk.jpg", "grey.jpg", "palette.png",
         "alpha.png", "first.gif", "lossy.webp", "lossless.webp"]
stack("decoded.png", [Image.open(n).convert("RGB") for n in names])

# Scaling.
for w, h in [(20, 15), (77, 80), (51, 11), (120, 39), (3, 2)]:
    base.resize((w, h), Image.BICUBIC).save(f"{w}x{h}.png")

# Evaluation at 24 pixels, 27 before the middle is cut out.
base.resize((35, 27), Image.BICUBIC).crop((6, 2, 30, 26)).save("middle.png")

# RandAugment.
MEAN = (124, 116, 104)


def affine(*matrix):
    return base.transform(base.size, Image.AFFINE, matrix, resample=Image.BICUBIC, fillcolor=MEAN)


def add(amount):
    return base.point([min(255, i + amount) if i < 128 else i for i in range(256)] * 3)


dull = base.point([60 + i // 3 for i in range(256)] * 3)
dull.save("dull.png")
stack("augmented.png", [
    ImageOps.autocontrast(dull), ImageOps.equalize(dull), ImageOps.invert(base),
    base.rotate(27, resample=Image.BICUBIC, fillcolor=MEAN), base.rotate(-13.3, resample=Image.BICUBIC, fillcolor=MEAN),
    ImageOps.posterize(base, 1), ImageOps.posterize(base, 4), ImageOps.solarize(base, 26), add(99),
    ImageEnhance.Color(base).enhance(0.19), ImageEnhance.Color(base).enhance(1.81),
    ImageEnhance.Contrast(base).enhance(0.19), ImageEnhance.Contrast(base).enhance(1.81),
    ImageEnhance.Brightness(base).enhance(0.19), ImageEnhance.Brightness(base).enhance(1.81),
    ImageEnhance.Sharpness(base).enhance(0.19), ImageEnhance.Sharpness(base).enhance(1.81),
    affine(1, 0.27, 0, 0, 1, 0), affine(1, 0, 0, -0.27, 1, 0),
    affine(1, 0, 0.405 * W, 0, 1, 0), affine(1, 0, 0, 0, 1, -0.405 * H),
])
