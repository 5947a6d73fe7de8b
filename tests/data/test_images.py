import numpy as np
import pytest

from profiler.campaign.run import run
from profiler.data import read
from profiler.errors import DataError, ProfilerError
from profiler.schema.study.data import DataSpec
from profiler.schema.study.images import ImageSpec
from profiler.wire.codec import DecodeError, decode

pytestmark = pytest.mark.usefixtures("one_round")

Image = pytest.importorskip(
    "PIL.Image", reason="needs Pillow: pip install 'hardware-profiler[images]'"
)
PREPARED = {"size": [8, 8]}


def pictures(folder, classes=("cat", "dog"), count=4, size=(12, 10)):
    """`count` PNGs a class, each of random bytes; returns their pixels by relative path."""
    generator = np.random.default_rng(0)
    made = {}
    for name in classes:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
            made[f"{name}/{i}.png"] = pixels
    return made


def spec(images=PREPARED, **more):
    return decode(DataSpec, {"file": "faces", "calibration_rows": 2, "images": images} | more)


def failure(tmp_path, **more):
    with pytest.raises(DataError) as caught:
        read(spec(**more), tmp_path)
    return f"{caught.value.message} | {caught.value.hint}"


def test_pixels_arrive_as_they_are(tmp_path):
    made = pictures(tmp_path / "faces", size=(8, 8))
    got = read(spec({"size": [8, 8], "values": "byte", "layout": "channels_last"}), tmp_path)
    np.testing.assert_array_equal(got.inputs["image"], np.stack(list(made.values())))
    assert got.inputs["image"].dtype == np.uint8
    assert got.labels.tolist() == [0] * 4 + [1] * 4
    assert list(got.inputs) == ["image"]


def test_scaled_and_normalised_by_channel(tmp_path):
    made = pictures(tmp_path / "faces", size=(8, 8))
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    got = read(spec({"size": [8, 8], "mean": mean, "std": std}), tmp_path).inputs["image"]
    wanted = (np.stack(list(made.values())) / 255 - mean) / std
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted.transpose(0, 3, 1, 2), atol=1e-5)


def test_the_shorter_side_is_resized_and_the_middle_cut_out(tmp_path):
    """A white middle in a black frame: 40 x 20 to 20 x 10, of which 10 x 10 are white."""
    (tmp_path / "faces").mkdir()
    pixels = np.zeros((20, 40), np.uint8)
    pixels[:, 10:30] = 255
    Image.fromarray(pixels).save(tmp_path / "faces" / "a.png")
    Image.fromarray(pixels.T.copy()).save(tmp_path / "faces" / "b.png")
    way = {"size": [10, 10], "resize": 10, "color": "gray", "filter": "nearest"}
    got = read(spec(way, calibration_rows=1, allow_duplicates=True), tmp_path)
    assert got.labels is None
    assert got.inputs["image"].shape == (2, 1, 10, 10)
    assert (got.inputs["image"] == 1).all()


def test_classes_can_be_in_the_models_order(tmp_path):
    pictures(tmp_path / "faces")
    got = read(spec({**PREPARED, "classes": ["dog", "bird", "cat"]}), tmp_path)
    assert got.labels.tolist() == [2] * 4 + [0] * 4
    text = failure(tmp_path, images={**PREPARED, "classes": ["dogs", "cat"]})
    assert 'the subfolder "dog" is not among them' in text
    assert 'did you mean "dogs"?' in text


def test_file_is_a_column_for_slices_and_groups(tmp_path):
    pictures(tmp_path / "faces")
    got = read(spec(slices=["file"]), tmp_path)
    assert got.slices["file"][0] == "cat/0.png"
    assert list(got.inputs) == ["image"]
    assert 'a column called "fole"' in failure(tmp_path, slices=["fole"])


def test_equal_pictures_in_two_parts_stop_the_study(tmp_path):
    pictures(tmp_path / "faces", count=1)
    for i in range(1, 9):
        for name in ("cat", "dog"):
            data = (tmp_path / "faces" / name / "0.png").read_bytes()
            (tmp_path / "faces" / name / f"{i}.png").write_bytes(data)
    assert "in two parts of the data" in failure(tmp_path)


def test_what_is_wrong_is_named(tmp_path):
    pictures(tmp_path / "faces")
    assert "with size = [224, 224]" in failure(tmp_path, images=None)
    odd = tmp_path / "faces" / "cat" / "0.png"
    odd.write_bytes(odd.read_bytes()[:60])
    assert f"{odd}: not a readable picture" in failure(tmp_path)
    odd.rename(odd.with_suffix(".heic"))
    assert "expected a picture (.bmp, .jpeg, .jpg, .pgm, .png" in failure(tmp_path)
    odd.with_suffix(".heic").rename(tmp_path / "faces" / "0.png")
    assert "got 0.png beside them" in failure(tmp_path)
    (tmp_path / "faces" / "0.png").unlink()
    (tmp_path / "faces" / "eel").mkdir()
    assert "eel: expected pictures of this class, got none" in failure(tmp_path)
    np.savez(tmp_path / "d.npz", x=np.ones(4))
    assert "data.images: expected a folder of pictures" in failure(tmp_path, file="d.npz")


def test_a_postscript_file_called_png_is_not_run(tmp_path):
    pictures(tmp_path / "faces")
    (tmp_path / "faces" / "cat" / "0.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")
    assert "not a readable picture" in failure(tmp_path)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"size": [8]}, "height, width"),
        ({"size": [8, 8], "resize": 4}, "at least 8"),
        ({"size": [8, 8], "mean": [0.5]}, "3 numbers"),
        ({"size": [8, 8], "values": "byte", "std": [1, 1, 1]}, "no mean and std"),
        ({"size": [8, 8], "std": [1, 0, 1]}, "above 0"),
        ({"size": [8, 8], "layouts": "x"}, "known key"),
    ],
)
def test_impossible_settings(given, part):
    with pytest.raises(DecodeError) as caught:
        decode(ImageSpec, given)
    assert part in caught.value.expected


def test_a_study_of_pictures_from_end_to_end(make_study, tmp_path):
    """The bytes of 4 x 4 gray pictures, one of two classes bright; the model sums them.

    All weights are of one size: on x86 without VNNI every pair of products saturates, and the
    answers are wrong. Then the row says so, and how the answers are right.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.stack([-np.ones(16), np.ones(16)], axis=1).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["s"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 4, 4])],
        [helper.make_tensor_value_info("s", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = make_study('variants = ["fp32", "int8-static", "int8-static:reduce"]', data=False)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, tmp_path / "model.onnx")
    generator = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 128)):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for i in range(16):
            pixels = generator.integers(low, low + 128, (4, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "faces" / name / f"{i}.png")
    path.write_text(
        path.read_text() + '[data]\nfile = "faces"\ncalibration_rows = 8\n[data.images]\n'
        'size = [4, 4]\ncolor = "gray"\nmean = [0.5]\n'
    )
    rows = {row["variant"]: row for row in run(path, tmp_path / "out").rows}
    assert rows["fp32"]["accuracy"] == 1.0
    assert rows["int8-static-reduce"]["accuracy"] == 1.0
    assert rows["int8-static-reduce"]["saturable"] == 0
    found = rows["int8-static"]
    if found["saturable"]:
        assert "1 product can saturate on this processor" in found["advice"]
        assert "int8-static:reduce" in found["advice"]
    else:
        assert found["accuracy"] == 1.0
    (tmp_path / "faces" / "dark" / "0.png").unlink()
    with pytest.raises(ProfilerError, match="changed"):
        run(path, tmp_path / "out")
