//! The fixed texts of the pages in English and Chinese. Free text of the library stays English.

use std::fmt;

use crate::report::{MotionCharacter, Verdict};
use crate::sample::Sense;

/// A text in both languages. Written as two spans; the page's style sheet hides one.
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

/// The word for a finding's place; `None` if it is not in the table.
pub fn place(place: &str) -> Option<Word> {
    PLACES.iter().copied().find(|word| word.en == place)
}

/// The word for a corruption; `None` if it is not in the table.
pub fn worsening(name: &str) -> Option<Word> {
    WORSENINGS.iter().copied().find(|word| word.en == name)
}

/// The words for a motion finding.
pub const fn moves(character: MotionCharacter) -> Word {
    match character {
        MotionCharacter::More => MOVES_MORE,
        MotionCharacter::Less => MOVES_LESS,
        MotionCharacter::Elsewhere => MOVES_ELSEWHERE,
        MotionCharacter::Otherwise => MOVES_OTHERWISE,
    }
}

/// The word for a kind of finding by its name in the model; `None` if it is not in the table.
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
        /// All texts, for the test that none lacks a language.
        #[cfg(test)]
        const ALL: &[Word] = &[$($name),*];
    };
}

words! {
    PASS "pass" "合格"
    FAIL "fail" "不合格"
    UNSURE "unsure" "待复判"
    INVALID "cannot be judged" "无法判定"
    UNREADABLE "unreadable" "无法读取"

    INSPECTION "Inspection" "检测报告"
    EVALUATION "Evaluation" "评估报告"
    PART "part" "零件"
    MODEL "model" "模型"
    PICTURES "samples" "个样品"
    PICTURE "image" "原图"
    MOTION "motion: brighter means more motion; each tile is one time step" "动作图：越亮动作越大，每格为一个时段"
    SOUND "spectrogram: time to the right, frequency upwards" "频谱图：横轴为时间，纵轴为频率"
    STRANGE "heatmap" "异常图"
    EXPECTED "expected (from good samples)" "良品参考"
    FULL_SIZE "full size" "查看原尺寸"

    SCORE "score" "异常得分"
    LIMIT "limit" "阈值"
    P_VALUE "p-value" "p 值"
    STRANGEST "highest score" "最高得分"
    A_PLACE "a local area" "局部区域"
    THE_WHOLE "the whole image" "整幅图像"
    LOCAL "local" "局部"
    GLOBAL "global" "整体"
    THE_PIXELS "pixel difference" "像素差异"
    PIXELS "pixels" "像素"
    SIGHT "image" "图像"
    HEARING "sound" "声音"
    WATCHING "clip" "视频"
    STEP_LEFT_OUT "missing step" "漏做一步"
    SOMETHING_ELSE "foreign object" "外来物"
    BELONG "image and sound consistent" "声像一致性"
    DECIDED "decided by" "判定依据"
    EITHER "either one alone" "单独均可判定"
    TOGETHER "only both together" "综合判定"
    REASON "reason" "原因"
    WHERE "where" "位置"
    AREA "area" "面积"
    SEVERITY "severity" "严重程度"
    TIMES_LIMIT "{} × limit" "阈值的 {} 倍"
    NO_PLACE "No single area is above the limit. The sample as a whole differs from the good ones."
        "没有单个区域超过阈值，样品整体与良品不符。"
    MORE_FINDINGS "and {} less severe ones" "另有 {} 处较轻微"
    LEFT_OUT "{} more samples did not pass and are not shown." "另有 {} 个未合格样品未显示。"
    LEFT_OUT_PASSES "{} more samples passed and are not shown." "另有 {} 个合格样品未显示。"
    NONE_JUDGED "No sample was judged." "没有可判定的样品。"

    HEAT "anomaly" "异常程度"
    HEAT_LIMIT "1 = limit" "1 = 阈值"
    HOW_TO_READ "How to read this page" "如何阅读本页"
    READ_SCORE "The score measures how much a sample differs from the good samples. Above the limit it fails."
        "异常得分表示样品与示教良品的差异，超过阈值判为不合格。"
    READ_P "The p-value is the share of good parts that are at least as anomalous."
        "p 值为异常程度不低于该样品的良品所占比例。"
    READ_HEAT "All heatmaps have the same scale: 1 is the limit. Numbered boxes mark the areas above it."
        "所有异常图使用同一标尺，1 为阈值。带编号的方框标出超过阈值的区域。"
    READ_IGNORED "Hatched areas are not inspected: a mask or the region of interest excludes them."
        "斜线区域不检测：已被屏蔽，或在检测区域之外。"
    READ_EXPECTED "The expected image is composed of the most similar patches of good samples."
        "良品参考图由良品中最相似的图块拼成。"
    READ_UNSURE "Unsure means close to the limit: a person must check."
        "待复判表示接近阈值，需人工复判。"

    GENERATED "generated by {}" "由 {} 生成"
    NOT_GENERATED "fixed text: {}" "固定文本：{}"
    SENSE "modality" "模态"
    GATE "weight in the model" "模型权重"
    WITHOUT_IT "verdict without it" "去除后的判定"
    LOOKED_AT "model attention; {} on the findings" "模型注意力分布；{} 在异常处"
    LIKELY "likelihood {}" "可能性 {}"
    ATTENTION "attention {}" "注意力 {}"
    READ_WORDS "A model generated the words from the measurements. They explain the verdict and do not change it. The kind of defect is the model's estimate."
        "文字由模型根据测量结果生成，用于说明判定，不影响判定。缺陷类型为模型估计。"
    READ_GATE "The weight (0 to 1) is how much the model used a modality for this sample. Beside it is the verdict without that modality."
        "权重（0 至 1）表示模型对该模态的采信程度，右侧为去除该模态后的判定。"
    READ_LOOKED_AT "The grid shows the share of the model's attention in each cell of a 3 × 3 grid. The rest is on the findings."
        "九宫格为模型注意力在各区域的占比，其余在异常处。"

    FIGURES "Figures" "指标"
    TAUGHT "good samples taught" "示教良品数"
    JUDGED_GOOD "good samples judged" "测试良品数"
    JUDGED_BAD "bad samples judged" "测试不良品数"
    IMAGE_AUROC "image AUROC" "图像 AUROC"
    JOINT_AUROC "joint AUROC" "联合 AUROC"
    MOVES_MORE "more motion than in good samples" "动作多于良品"
    MOVES_LESS "less motion than in good samples" "动作少于良品"
    MOVES_ELSEWHERE "motion where good samples have none" "良品此处无动作"
    MOVES_OTHERWISE "different motion" "动作方式不同"
    GREY_LEVELS "grey levels per second; usual in good samples: {}" "每秒灰度变化；良品均值：{}"
    CLIP_AUROC "clip AUROC" "视频 AUROC"
    AUDIO_AUROC "audio AUROC" "声音 AUROC"
    AUDIO_PAUC "audio partial AUROC (up to 0.1)" "声音部分 AUROC（0.1 以内）"
    PIXEL_AUROC "pixel AUROC" "像素 AUROC"
    AUPRO "AUPRO up to 30 %" "AUPRO（30 % 以内）"
    F1_MAX "best F1" "最佳 F1"
    OVERKILL "false rejects (overkill)" "过检率（良品误判）"
    ESCAPE "misses (escape)" "漏检率（不良品漏判）"
    LATENCY "time per sample (median)" "单件耗时（中位数）"
    LATENCY_95 "time per sample (95th percentile)" "单件耗时（95 百分位）"
    SPEED "samples per second" "每秒样品数"
    MEMORY "peak memory" "内存峰值"
    INTERVAL "95 % confidence interval" "95 % 置信区间"
    PER_KIND "By kind of defect" "按缺陷类型"
    KIND "kind" "类型"
    ROBUST "Corrupted samples" "样品劣化测试"
    READ_ROBUST "The same samples under corruptions. The change from the clean row follows each figure. Invalid samples count as rejected; the columns on the right show the rest. Each patch is the worst of eight positions."
        "同一批样品经劣化后重新判定，数值后为与原始行的差值。无法判定的样品计为拒收，其余样品的结果列在右侧。贴片取八个位置中影响最大的一个。"
    WORSENING "corruption" "劣化方式"
    LEVEL "level" "强度"
    REFUSED "cannot be judged" "无法判定"
    LEFT_OUT_SENSE "one modality only" "仅单一模态"
    REST_OVERKILL "false rejects of the rest" "其余样品过检率"
    REST_ESCAPE "misses of the rest" "其余样品漏检率"
    BASELINES "AUROC compared with baselines" "AUROC 与基线对比"
    ALL_KINDS "all" "全部"
    COUNT "samples" "数量"
    IN_WORDS "Reports in words" "文字报告"
    REPORTS "reports written" "报告数"
    SAYS_VERDICT "verdict stated correctly" "判定结果表述正确"
    SAYS_KIND "right kind of the most severe finding on the defect" "最严重缺陷的类型正确"
    SAYS_EVERY_KIND "right kind of every finding on a defect" "所有缺陷的类型正确"
    SAYS_ONLY_KIND "only right kinds named" "仅给出正确类型"
    SAYS_NOTHING "defect not reported" "缺陷未被指出"
    SAYS_PLACE "right place" "位置正确"
    SAYS_PLACE_NEAR "right place, or a neighbour within 5 %" "位置正确或相邻（5 % 以内）"
    SAYS_PLACES "all places right and complete" "全部位置正确且无遗漏"
    SAYS_COUNT "as many findings as defects" "缺陷数量正确"
    SAYS_FALSELY "statements that the measurements contradict" "与测量矛盾的陈述"
    WRITING "time per report (median)" "单份报告耗时（中位数）"
    RIGHT_KINDS "right kinds" "正确类型"
    WRONG_KINDS "Wrong kinds" "错误类型"
    FALSE_REJECTS "False rejects, highest score first" "过检样品（按异常得分降序）"
    ESCAPES "Misses, lowest score first" "漏检样品（按异常得分升序）"
    NONE "None." "无。"
    SHOWN_OF "{} in total; the worst are shown." "共 {} 个，仅显示最严重的。"
    MASK_LINE "The blue line is the labelled defect." "蓝线为标注的缺陷区域。"
}

/// The 3 × 3 grid positions, as reports name them.
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

/// The corruptions, as `evaluate::robust` names them.
const WORSENINGS: [Word; 19] = [
    Word { en: "clean", zh: "原始" },
    Word { en: "noise", zh: "噪点" },
    Word { en: "blur", zh: "模糊" },
    Word { en: "darker", zh: "变暗" },
    Word { en: "brighter", zh: "变亮" },
    Word { en: "jpeg", zh: "JPEG 压缩" },
    Word { en: "occlusion", zh: "遮挡" },
    Word { en: "sticker", zh: "贴纸（良品）" },
    Word { en: "camouflage", zh: "伪装（不良品）" },
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

/// The kinds of findings of this project's models, as `models/eyear-small/words.toml` names them.
const KINDS: [(&str, Word); 29] = [
    ("nothing", Word { en: "differs from the good samples", zh: "与良品不符" }),
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
    ("tone", Word { en: "tone", zh: "单频音" }),
    ("rub", Word { en: "rubbing", zh: "摩擦声" }),
    ("hiss", Word { en: "hissing", zh: "漏气声" }),
    ("imbalance", Word { en: "imbalance", zh: "不平衡" }),
    ("bearing", Word { en: "bearing", zh: "轴承" }),
    ("tooth", Word { en: "broken tooth", zh: "断齿" }),
    ("cavitation", Word { en: "cavitation", zh: "气蚀" }),
    ("gap", Word { en: "gap", zh: "声音中断" }),
    ("stopped", Word { en: "stopped", zh: "停止" }),
    ("slow", Word { en: "too slow", zh: "过慢" }),
    ("fast", Word { en: "too fast", zh: "过快" }),
    ("late", Word { en: "wrong time", zh: "时序异常" }),
    ("jerk", Word { en: "jerk", zh: "卡顿" }),
    ("path", Word { en: "off its path", zh: "轨迹偏离" }),
    ("reversed", Word { en: "reversed", zh: "反向" }),
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
        assert!(both.contains(">3 in total") && both.contains(">共 3 个"), "{both}");
        assert_eq!(place("bottom right").unwrap().zh, "右下");
        assert_eq!(place("elsewhere"), None);
    }
}
