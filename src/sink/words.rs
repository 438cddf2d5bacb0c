//! The fixed words of the pages, English and Chinese side by side. Free text of the library stays English.

use std::fmt;

use crate::report::Verdict;

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
    READ_EXPECTED "What was expected is put together from the most similar pieces of good pictures."
        "预期外观由合格图片中最相似的小块拼成。"
    READ_UNSURE "Unsure means near the limit: a person must look."
        "待复核表示接近限值，需要人工确认。"

    FIGURES "Figures" "指标"
    TAUGHT "good pictures taught" "所教合格图片"
    JUDGED_GOOD "good pictures judged" "判定的合格图片"
    JUDGED_BAD "bad pictures judged" "判定的缺陷图片"
    IMAGE_AUROC "image AUROC" "图像 AUROC"
    JOINT_AUROC "joint AUROC" "联合 AUROC"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_there_in_both_languages_and_safe_to_put_into_a_page() {
        for Word { en, zh } in ALL.iter().chain(&PLACES).chain(&WORSENINGS) {
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
