//! The fixed words of the pages, English and Chinese side by side. Free text of the library stays English.

use std::fmt;

use crate::report::{MotionCharacter, Verdict};
use crate::sample::Sense;

/// A word in both languages. Shown as two spans; the page's style sheet hides one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<span lang="en">{}</span><span lang="zh">{}</span>"#, self.en, self.zh)
    }
}

impl Word {
    /// Puts `value` (HTML) where `{}` stands.
    pub fn with(self, value: impl fmt::Display) -> String {
        self.to_string().replace("{}", &value.to_string())
    }
}

/// The word for a verdict.
pub fn verdict(verdict: Verdict) -> Word {
    match verdict {
        Verdict::Pass => PASS,
        Verdict::Fail => FAIL,
        Verdict::Unsure => UNSURE,
        Verdict::Invalid => INVALID,
    }
}

/// The word for a finding's place; `None` for one that is not in the table.
pub fn place(place: &str) -> Option<Word> {
    PLACES.iter().copied().find(|word| word.en == place)
}

/// The word for a way in which samples get worse; `None` for one that is not in the table.
pub fn worsening(name: &str) -> Option<Word> {
    WORSENINGS.iter().copied().find(|word| word.en == name)
}

/// How something moves.
pub const fn moves(character: MotionCharacter) -> Word {
    match character {
        MotionCharacter::More => MOVES_MORE,
        MotionCharacter::Less => MOVES_LESS,
        MotionCharacter::Elsewhere => MOVES_ELSEWHERE,
        MotionCharacter::Otherwise => MOVES_OTHERWISE,
    }
}

/// The word for a kind of finding of a sense, by the names that models give them; `None` for one that is not in the table.
pub fn kind(sense: Sense, kind: &str) -> Option<Word> {
    match (sense, kind) {
        (Sense::Clip, "missing") => Some(STEP_LEFT_OUT),
        (Sense::Clip, "foreign") => Some(SOMETHING_ELSE),
        _ => KINDS.iter().find(|(name, _)| *name == kind).map(|(_, word)| *word),
    }
}

macro_rules! words {
    ($($name:ident $en:literal $zh:literal)*) => {
        $(#[doc = $en] pub const $name: Word = Word { en: $en, zh: $zh };)*
        /// All words, for the test that none lacks a language.
        #[cfg(test)]
        const ALL: &[Word] = &[$($name),*];
    };
}

words! {
    PASS "pass" "合格"
    FAIL "fail" "不合格"
    UNSURE "unsure" "待复核"
    INVALID "cannot be judged" "无法判定"
    UNREADABLE "unreadable" "无法读取"

    INSPECTION "Inspection" "检测报告"
    EVALUATION "Evaluation" "评估报告"
    PART "part" "零件"
    MODEL "model" "模型"
    PICTURES "pictures" "张图片"
    PICTURE "picture" "原图"
    MOTION "motion: brighter where more moves, each tile a later step" "运动：越亮处动得越多，每格为下一时段"
    SOUND "sound: time to the right, pitch upwards" "声音：向右为时间，向上为音高"
    STRANGE "where it is strange" "异常位置"
    EXPECTED "what was expected here" "此处的预期外观"
    FULL_SIZE "open at full size" "打开原尺寸"

    SCORE "score" "得分"
    LIMIT "limit" "限值"
    P_VALUE "p-value" "p 值"
    STRANGEST "strangest" "最异常"
    A_PLACE "a place" "局部位置"
    THE_WHOLE "the picture as a whole" "整幅图像"
    LOCAL "place" "局部"
    GLOBAL "whole" "整体"
    THE_PIXELS "its pixels" "像素差异"
    PIXELS "pixels" "像素"
    SIGHT "sight" "视觉"
    HEARING "hearing" "听觉"
    WATCHING "motion" "动作"
    STEP_LEFT_OUT "a step left out" "漏做一步"
    SOMETHING_ELSE "something else in view" "外来物"
    BELONG "belong together" "声像相符"
    DECIDED "decided by" "判定依据"
    EITHER "each alone" "各自均可判定"
    TOGETHER "both together" "两者合并"
    REASON "reason" "原因"
    WHERE "where" "位置"
    AREA "area" "面积"
    SEVERITY "severity" "严重程度"
    TIMES_LIMIT "{} × limit" "限值的 {} 倍"
    NO_PLACE "No single place is over the limit: the picture as a whole is unlike the good ones."
        "没有单个位置超过限值：整幅图像与合格品不同。"
    MORE_FINDINGS "and {} smaller ones" "另有 {} 处较轻"
    LEFT_OUT "{} more pictures that did not pass are not shown here." "另有 {} 张未通过的图片未在此显示。"
    LEFT_OUT_PASSES "{} more pictures that passed are not shown here." "另有 {} 张合格图片未在此显示。"
    NONE_JUDGED "No picture was judged." "没有判定任何图片。"

    HEAT "heat" "异常热度"
    HEAT_LIMIT "1 = limit" "1 = 限值"
    HOW_TO_READ "How to read this page" "如何阅读本页"
    READ_SCORE "The score tells how far a picture is from the good ones that were taught. Over the limit it fails."
        "得分表示图片与所教合格品的差异程度，超过限值即为不合格。"
    READ_P "The p-value is the share of good parts that look at least as strange."
        "p 值是同样异常或更异常的合格品所占的比例。"
    READ_HEAT "Heat has the same scale on every picture: 1 is the limit that good parts set. Numbered boxes mark the places above it."
        "热度在所有图片上使用同一标尺：1 为合格品设定的限值。带编号的方框标出超过限值的位置。"
    READ_IGNORED "What is hatched is not inspected: a mask or the region of interest leaves it out."
        "斜线区域不检测：该区域被屏蔽，或在检测区域之外。"
    READ_EXPECTED "What was expected is put together from the most similar pieces of good pictures."
        "预期外观由合格图片中最相似的小块拼成。"
    READ_UNSURE "Unsure means near the limit: a person must look."
        "待复核表示接近限值，需要人工确认。"

    GENERATED "generated by {}" "由 {} 生成"
    NOT_GENERATED "not generated: {}" "非模型生成：{}"
    SENSE "sense" "感官"
    GATE "weight to the model" "对模型的权重"
    WITHOUT_IT "without it" "去掉它后"
    LOOKED_AT "where the model looked; {} at the findings" "模型关注的位置；{} 在异常处"
    LIKELY "{} likely" "可能性 {}"
    ATTENTION "attention {}" "注意力 {}"
    READ_WORDS "The words were generated by a model within what was measured. They explain the verdict and change nothing of it; kinds are its opinion."
        "文字由模型在测量结果范围内生成，用于说明判定，不改变判定；缺陷类型是模型的意见。"
    READ_GATE "The weight tells how much a sense was worth to the model on this sample, 0 to 1; beside it stands what is left when that sense is left out."
        "权重表示该感官在此样品上对模型的价值（0 到 1）；旁边是去掉该感官后的判定。"
    READ_LOOKED_AT "The grid tells which share of the model's attention went to each ninth of the picture; the rest went to the findings."
        "九宫格表示模型的注意力在图像每个九分之一区域所占的份额，其余在异常处。"

    FIGURES "Figures" "指标"
    TAUGHT "good pictures taught" "所教合格图片"
    JUDGED_GOOD "good pictures judged" "判定的合格图片"
    JUDGED_BAD "bad pictures judged" "判定的缺陷图片"
    IMAGE_AUROC "image AUROC" "图像 AUROC"
    JOINT_AUROC "joint AUROC" "联合 AUROC"
    MOVES_MORE "more moves there" "动作多于合格品"
    MOVES_LESS "less moves there" "动作少于合格品"
    MOVES_ELSEWHERE "moves where in good ones nothing does" "合格品中此处无动作"
    MOVES_OTHERWISE "moves otherwise" "动作方式不同"
    GREY_LEVELS "grey levels a second, and usually: {}" "每秒灰度变化及合格品平均：{}"
    CLIP_AUROC "clip AUROC" "视频 AUROC"
    AUDIO_AUROC "audio AUROC" "声音 AUROC"
    AUDIO_PAUC "audio partial AUROC (up to 0.1)" "声音部分 AUROC（0.1 以内）"
    PIXEL_AUROC "pixel AUROC" "像素 AUROC"
    AUPRO "AUPRO up to 30 %" "AUPRO（30 % 以内）"
    F1_MAX "best F1" "最佳 F1"
    OVERKILL "overkill (good rejected)" "过杀率（合格品被拒）"
    ESCAPE "escape (bad let through)" "漏检率（缺陷品放行）"
    LATENCY "time for a picture (median)" "单张耗时（中位数）"
    LATENCY_95 "time for a picture (95 % take no more)" "单张耗时（95 % 不超过）"
    SPEED "pictures a second" "每秒图片数"
    MEMORY "memory at most" "内存峰值"
    INTERVAL "95 % interval" "95 % 置信区间"
    PER_KIND "By kind of defect" "按缺陷类型"
    KIND "kind" "类型"
    ROBUST "When samples get worse" "样本劣化时"
    READ_ROBUST "The same samples, worsened; what differs from the clean row stands behind the figure. What cannot be judged counts as rejected; how the rest was judged stands to the right. A patch is the worst of eight that were tried."
        "同一批样本经劣化后重新判定；与原始一行的差值写在数值之后。无法判定的计为拒收，其余样本的结果列在右侧。贴片为八次尝试中影响最大的一次。"
    WORSENING "worsened by" "劣化方式"
    LEVEL "level" "程度"
    REFUSED "cannot be judged" "无法判定"
    LEFT_OUT_SENSE "by one sense alone" "仅凭单一感官"
    REST_OVERKILL "overkill of the rest" "其余样本过杀率"
    REST_ESCAPE "escape of the rest" "其余样本漏检率"
    BASELINES "AUROC beside baselines" "与基线对比的 AUROC"
    ALL_KINDS "all" "全部"
    COUNT "pictures" "数量"
    IN_WORDS "In words" "文字报告"
    REPORTS "reports written" "已写报告"
    SAYS_VERDICT "names the verdict, and no other" "判定结果表述正确"
    SAYS_KIND "right kind, of the most severe finding on the defect" "最严重缺陷的类型正确"
    SAYS_EVERY_KIND "right kind, of every finding on a defect" "所有缺陷的类型正确"
    SAYS_ONLY_KIND "names a right kind and no other" "只说出正确类型"
    SAYS_NOTHING "bad, and no finding told on the defect" "缺陷未被指出"
    SAYS_PLACE "right place" "位置正确"
    SAYS_PLACE_NEAR "right place, or a neighbour within 5 %" "位置正确或相邻（5 % 以内）"
    SAYS_PLACES "all places right, and none lacks" "全部位置正确且无遗漏"
    SAYS_COUNT "as many findings as defects" "缺陷数量正确"
    SAYS_FALSELY "statements that the measurements contradict" "与测量矛盾的陈述"
    WRITING "time for a report (median)" "单份报告耗时（中位数）"
    RIGHT_KINDS "right kinds" "正确类型"
    WRONG_KINDS "Wrong kinds" "错误类型"
    FALSE_REJECTS "Good pictures that were rejected, strangest first" "被拒的合格图片（从最异常开始）"
    ESCAPES "Bad pictures that were let through, least strange first" "放行的缺陷图片（从最不异常开始）"
    NONE "None." "无。"
    SHOWN_OF "{} in all; the worst are shown." "共 {} 张，显示最严重的。"
    MASK_LINE "The blue line is where a person marked the defect." "蓝线为人工标注的缺陷位置。"
}

/// The places of a picture, as reports name them.
const PLACES: [Word; 9] = [
    Word { en: "top left", zh: "左上" },
    Word { en: "top", zh: "上方" },
    Word { en: "top right", zh: "右上" },
    Word { en: "left", zh: "左侧" },
    Word { en: "centre", zh: "中央" },
    Word { en: "right", zh: "右侧" },
    Word { en: "bottom left", zh: "左下" },
    Word { en: "bottom", zh: "下方" },
    Word { en: "bottom right", zh: "右下" },
];

/// The ways in which samples get worse, as `evaluate::robust` names them.
const WORSENINGS: [Word; 19] = [
    Word { en: "clean", zh: "原始" },
    Word { en: "noise", zh: "噪点" },
    Word { en: "blur", zh: "模糊" },
    Word { en: "darker", zh: "变暗" },
    Word { en: "brighter", zh: "变亮" },
    Word { en: "jpeg", zh: "JPEG 压缩" },
    Word { en: "occlusion", zh: "遮挡" },
    Word { en: "sticker", zh: "贴纸（合格品）" },
    Word { en: "camouflage", zh: "伪装（缺陷品）" },
    Word { en: "white noise", zh: "白噪声" },
    Word { en: "pink noise", zh: "粉红噪声" },
    Word { en: "clipping", zh: "削波" },
    Word { en: "overdriven", zh: "满幅过载" },
    Word { en: "quieter", zh: "变轻" },
    Word { en: "louder", zh: "变响" },
    Word { en: "gap", zh: "断音" },
    Word { en: "narrow band", zh: "窄带" },
    Word { en: "no picture", zh: "无图像" },
    Word { en: "no sound", zh: "无声音" },
];

/// The kinds of findings that models of this project know, as `models/eyear-small/words.toml` names them.
const KINDS: [(&str, Word); 29] = [
    ("nothing", Word { en: "unlike the good ones", zh: "与良品不同" }),
    ("scratch", Word { en: "scratch", zh: "划痕" }),
    ("crack", Word { en: "crack", zh: "裂纹" }),
    ("hole", Word { en: "hole", zh: "孔洞" }),
    ("chip", Word { en: "chipped edge", zh: "崩边" }),
    ("dent", Word { en: "dent", zh: "凹陷" }),
    ("stain", Word { en: "stain", zh: "污渍" }),
    ("foreign", Word { en: "foreign matter", zh: "异物" }),
    ("missing", Word { en: "missing part", zh: "缺件" }),
    ("misprint", Word { en: "misprint", zh: "印刷缺陷" }),
    ("wear", Word { en: "wear", zh: "磨损" }),
    ("break", Word { en: "break", zh: "破损" }),
    ("pitting", Word { en: "pitting", zh: "点蚀" }),
    ("knock", Word { en: "knock", zh: "敲击声" }),
    ("tone", Word { en: "tone", zh: "单音" }),
    ("rub", Word { en: "rubbing", zh: "摩擦声" }),
    ("hiss", Word { en: "hissing", zh: "嘶嘶声" }),
    ("imbalance", Word { en: "imbalance", zh: "不平衡" }),
    ("bearing", Word { en: "bearing", zh: "轴承" }),
    ("tooth", Word { en: "broken tooth", zh: "断齿" }),
    ("cavitation", Word { en: "cavitation", zh: "气蚀" }),
    ("gap", Word { en: "gap", zh: "声音中断" }),
    ("stopped", Word { en: "stopped", zh: "停住" }),
    ("slow", Word { en: "too slow", zh: "过慢" }),
    ("fast", Word { en: "too fast", zh: "过快" }),
    ("late", Word { en: "out of time", zh: "时机不对" }),
    ("jerk", Word { en: "jerk", zh: "抖动" }),
    ("path", Word { en: "off its path", zh: "路径偏离" }),
    ("reversed", Word { en: "backwards", zh: "反向" }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_that_the_shipped_model_knows_has_a_word() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/eyear-small/words.toml");
        let written: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        let senses = written["en"]["kind"].as_table().unwrap().iter();
        let kinds = senses.flat_map(|(sense, of)| of.as_table().unwrap().keys().map(move |name| (sense, name)));
        let lacking: Vec<_> = kinds
            .filter(|(key, name)| Sense::ALL.iter().all(|sense| sense.key() != *key || kind(*sense, name).is_none()))
            .collect();
        assert!(lacking.is_empty(), "{lacking:?}");
        assert_eq!(kind(Sense::Image, "break").unwrap().zh, "破损");
        assert_ne!(kind(Sense::Clip, "missing").unwrap().en, kind(Sense::Image, "missing").unwrap().en);
    }

    #[test]
    fn each_word_is_there_in_both_languages_and_safe_to_put_into_a_page() {
        let kinds = KINDS.iter().map(|(_, word)| word);
        for Word { en, zh } in ALL.iter().chain(&PLACES).chain(&WORSENINGS).chain(kinds) {
            assert!(!en.is_empty() && !zh.is_empty() && !format!("{en}{zh}").contains(['<', '&', '"']), "{en}");
            assert_eq!(en.matches("{}").count(), zh.matches("{}").count(), "{en}");
        }
    }

    #[test]
    fn a_value_is_put_into_both_languages() {
        let both = SHOWN_OF.with(3);
        assert!(both.contains(">3 in all") && both.contains(">共 3 张"), "{both}");
        assert_eq!(place("bottom right").unwrap().zh, "右下");
        assert_eq!(place("elsewhere"), None);
    }
}
